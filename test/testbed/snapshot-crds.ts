/** The CRDs of VolumeSnapshot and VolumeGroupSnapshot, taken from the Go module that the sidecars are built with and cached. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findPlaces } from './places.ts';
import { runCommand } from './run-command.ts';

const crdModule = 'github.com/kubernetes-csi/external-snapshotter/client/v8';

/** @returns a folder of YAML files for `kubectl apply -k`. */
export async function ensureSnapshotCrds(): Promise<string> {
  const cwd = join(import.meta.dirname, 'go');
  const key = createHash('sha256')
    .update(await readFile(join(cwd, 'go.mod')))
    .digest('hex')
    .slice(0, 12);
  const folder = join(findPlaces().cache, `snapshot-crds-${key}`);
  if (existsSync(folder)) return folder;
  await runCommand('go', ['mod', 'download', crdModule], { cwd });
  const source = (await runCommand('go', ['list', '-m', '-f', '{{.Dir}}', crdModule], { cwd })).trim();
  const unfinished = `${folder}.${process.pid}`;
  await cp(join(source, 'config', 'crd'), unfinished, { recursive: true });
  // The module cache is read-only; a cache of ours should not be.
  await runCommand('chmod', ['-R', 'u+w', unfinished]);
  await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true }));
  return folder;
}
