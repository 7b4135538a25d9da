/**
 * dist/bin, a folder for PATH: with it kubectl finds the plugin that was built for this machine, and completes its lines.
 */
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { runCommand } from '../run-command.ts';

/** Idempotent. The plugin itself writes `kubectl_complete-stork`, as users have it do. */
export async function linkPlugin(plugin: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const link = join(folder, 'kubectl-stork');
  await rm(link, { force: true });
  await symlink(relative(folder, plugin), link);
  await runCommand(link, ['completion', 'install', '--directory', folder]);
}
