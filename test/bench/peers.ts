/**
 * The programs that the repository is compared with, from Go modules pinned beside this file, each with the dependencies that it
 * was published with. Built once into the cache; not needed by `npm test`.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../scripts/cache-folder.ts';
import { runCommand } from '../../scripts/run-command.ts';
import { ensureGo } from '../../scripts/setup/ensure-go.ts';

export const peerNames = ['restic', 'kopia'] as const;
export type PeerName = (typeof peerNames)[number];

const sources = (name: PeerName) => join(import.meta.dirname, 'peers', name);

/** Where its program is, once it has been built. */
export async function findPeer(name: PeerName): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  for (const file of ['go.mod', 'go.sum']) hash.update(await readFile(join(sources(name), file)));
  return join(cacheFolder('bench-peers'), `${name}-${hash.digest('hex').slice(0, 16)}`, name);
}

/** Repeatable; a killed build leaves nothing under the final name. */
export async function ensurePeer(name: PeerName, say: (line: string) => void): Promise<string> {
  const program = await findPeer(name);
  if (existsSync(program)) return program;
  await ensureGo(say);
  const startedMs = performance.now();
  say(`building ${name} into ${program} …`);
  const building = `${program}.building-${process.pid}`;
  await mkdir(join(program, '..'), { recursive: true });
  await runCommand('go', ['build', '-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', `${building}/`, 'tool'], {
    cwd: sources(name),
    env: { GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' },
  });
  await rename(join(building, name), program);
  await rm(building, { recursive: true });
  say(`${name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  return program;
}
