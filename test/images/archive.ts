/**
 * Writes an image archive that `ctr images import` takes: one layer, a config
 * and a manifest in docker's save format. No registry and no Docker involved.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from '../testbed/run-command.ts';

export interface ImagePlan {
  /** e.g. `stork.test/toolbox:1`. */
  readonly reference: string;
  /** An uncompressed tar: the root file system. */
  readonly layer: string;
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly string[];
  readonly workingFolder?: string;
  readonly user?: string;
}

/** Consumes the layer's file. The archive appears under its name only when it is whole. */
export async function writeImageArchive(plan: ImagePlan, archive: string): Promise<void> {
  const folder = `${archive}.d`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const digest = await sha256OfFile(plan.layer);
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2000-01-01T00:00:00Z',
    config: {
      Entrypoint: plan.entrypoint,
      Cmd: plan.command ?? [],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...(plan.env ?? [])],
      WorkingDir: plan.workingFolder ?? '/',
      User: plan.user ?? '',
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  });
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  await rename(plan.layer, join(folder, 'layer.tar'));
  await writeFile(join(folder, configName), config);
  const manifest = [{ Config: configName, RepoTags: [plan.reference], Layers: ['layer.tar'] }];
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  await mkdir(dirname(archive), { recursive: true });
  await runCommand('tar', ['-C', folder, '-cf', `${archive}.new`, 'manifest.json', configName, 'layer.tar']);
  await rename(`${archive}.new`, archive);
  await rm(folder, { recursive: true, force: true });
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
