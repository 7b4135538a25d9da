/** Checks that the system programs the bed calls are there, and names the Debian packages of those that are not. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export async function requirePackages(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('the test bed needs root: it makes network and mount namespaces');
  const listed: unknown = JSON.parse(await readFile(join(import.meta.dirname, 'packages.json'), 'utf8'));
  const missing = new Set(
    readCommands(listed)
      .filter(([command]) => !isInstalled(command))
      .map(([, name]) => name),
  );
  if (!existsSync('/usr/lib/cni/ptp')) missing.add('containernetworking-plugins');
  if (missing.size === 0) return;
  throw new Error(
    `the test bed lacks system packages: ${[...missing].join(' ')}\nrun: npm run setup   (or: apt-get install --no-install-recommends ${[...missing].join(' ')})`,
  );
}

function readCommands(listed: unknown): readonly (readonly [string, string])[] {
  if (typeof listed !== 'object' || listed === null || !('commands' in listed))
    throw new Error('packages.json: no commands');
  return Object.entries(listed.commands ?? {}).map(([command, name]) => [command, String(name)]);
}

function isInstalled(command: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, command)));
}
