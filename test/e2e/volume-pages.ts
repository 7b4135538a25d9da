/**
 * What a volume holds, found out without our own code: a claim's folder on its node, snapshots of the storage kept aside
 * while a migration runs, the 16 KiB pages in which two of them differ, a listing by find and sha256sum. (The one use of
 * our code is `digestOf`, the built agent's own digest, to compare it with the others.)
 */
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, repository } from '../demo/commands.ts';
import { enterNode } from '../testbed/node.ts';
import { runCommand, runScript } from '../testbed/run-command.ts';
import { bedVolumes, holderPid, nodePath, storagePath } from './node-access.ts';

export const pageBytes = 16 * 1024;

/** The claim's folder as the host sees it. */
export async function claimPath(side: Cluster, namespace: string, claim: string): Promise<string> {
  const { spec } = await side.get<{ spec: { volumeName: string } }>(['pvc', claim, '-n', namespace]);
  const volume = await side.get<{ spec: { csi: { volumeHandle: string } } }>(['pv', spec.volumeName]);
  return await storagePath('volumes', volume.spec.csi.volumeHandle);
}

export interface KeptSnapshot extends AsyncDisposable {
  readonly path: string;
}

/**
 * Runs `during` and meanwhile waits for the snapshot that a migration takes of `claim`; keeps a copy of that snapshot,
 * which costs no space and outlives the migration's own.
 */
export async function keepSnapshot<T>(
  side: Cluster,
  claim: { readonly namespace: string; readonly name: string },
  during: () => Promise<T>,
): Promise<{ readonly result: T; readonly kept: KeptSnapshot }> {
  const known = new Set((await snapshotsOf(side, claim)).map(({ handle }) => handle));
  const ended = new AbortController();
  const finding = findNew(side, { claim, known, signal: ended.signal });
  // A failure of either is told after both have ended.
  const [found, result] = await Promise.allSettled([finding, during().finally(() => ended.abort())]);
  if (result.status === 'rejected') throw result.reason;
  if (found.status === 'rejected') throw found.reason;
  return { result: result.value, kept: found.value };
}

/** Bytes of the 16 KiB pages that differ over all files; a file that only one has counts wholly. */
export async function differingPageBytes(older: string, newer: string): Promise<number> {
  const [before, after] = await Promise.all([filesBelow(older), filesBelow(newer)]);
  let total = 0;
  for (const [name, size] of after) {
    total += before.has(name) ? await differenceOf(join(older, name), join(newer, name)) : size;
  }
  for (const [name, size] of before) if (!after.has(name)) total += size;
  return total;
}

/** The digest that the built agent computes of a folder. */
export async function digestOf(path: string): Promise<string> {
  const agent = join(repository, `dist/stork-agent-linux-${process.arch}`);
  const found: unknown = JSON.parse(await runCommand(agent, ['mover', 'digest', path], { timeoutMs: 300_000 }));
  if (typeof found === 'object' && found !== null && 'digest' in found && typeof found.digest === 'string')
    return found.digest;
  throw new Error(`the agent printed no digest of ${path}`);
}

/** Everything that find and sha256sum see of a folder: type, mode, owner, size, time, link, content. */
export async function listingOf(path: string): Promise<string> {
  const script = String.raw`cd "$1"
    find . -printf '%P %y %m %U %G %T@ %l\n' | sort
    find . -type f -printf '%P %s\n' | sort
    find . -type f -print0 | sort -z | xargs -0r sha256sum`;
  return await runScript(script, [path], { timeoutMs: 300_000 });
}

async function findNew(
  side: Cluster,
  wanted: {
    readonly claim: { readonly namespace: string; readonly name: string };
    readonly known: ReadonlySet<string>;
    readonly signal: AbortSignal;
  },
): Promise<KeptSnapshot> {
  const { claim, known, signal } = wanted;
  while (!signal.aborted) {
    const found = (await snapshotsOf(side, claim)).find(({ handle }) => !known.has(handle));
    if (found !== undefined) return await keep(found.handle);
    await sleep(300);
  }
  throw new Error(`no snapshot of ${claim.namespace}/${claim.name} was seen while the migration ran`);
}

async function snapshotsOf(side: Cluster, claim: { readonly namespace: string; readonly name: string }) {
  interface Snapshot {
    readonly spec: { readonly source: { readonly persistentVolumeClaimName?: string } };
    readonly status?: { readonly boundVolumeSnapshotContentName?: string; readonly readyToUse?: boolean };
  }
  const list = await side.get<{ items: readonly Snapshot[] }>([
    'volumesnapshots.snapshot.storage.k8s.io',
    '-n',
    claim.namespace,
  ]);
  const ready = list.items.filter(
    ({ spec, status }) => spec.source.persistentVolumeClaimName === claim.name && status?.readyToUse === true,
  );
  const contents = ready.map(async ({ status }) => {
    const name = status?.boundVolumeSnapshotContentName ?? '';
    const content = await side.get<{ status: { snapshotHandle: string } }>([
      'volumesnapshotcontents.snapshot.storage.k8s.io',
      name,
    ]);
    return { handle: content.status.snapshotHandle };
  });
  return await Promise.all(contents);
}

/** btrfs runs inside the node, since it resolves paths and would leave the node's root. */
async function keep(handle: string): Promise<KeptSnapshot> {
  const [node = ''] = handle.split(':');
  const [program = '', ...enter] = enterNode(await holderPid(node));
  const subvolume = (...args: readonly string[]) => runCommand(program, [...enter, 'btrfs', 'subvolume', ...args]);
  const folder = join(bedVolumes(), 'kept');
  await mkdir(await nodePath(node, folder), { recursive: true });
  const file = handle.replaceAll(':', '_');
  const path = join(folder, `${file}-${Date.now()}`);
  await subvolume('snapshot', '-r', join(bedVolumes(), 'snapshots', file), path);
  return {
    path: await nodePath(node, path),
    [Symbol.asyncDispose]: async () => void (await subvolume('delete', path)),
  };
}

async function filesBelow(folder: string): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(path.slice(folder.length + 1), (await stat(path)).size);
  }
  return found;
}

/** Both are read to the end of the longer one; pages past the end of the shorter differ. */
async function differenceOf(older: string, newer: string): Promise<number> {
  await using before = await open(older);
  await using after = await open(newer);
  const size = Math.max((await before.stat()).size, (await after.stat()).size);
  const chunk = 256 * pageBytes;
  const [left, right] = [Buffer.alloc(chunk), Buffer.alloc(chunk)];
  let total = 0;
  for (let at = 0; at < size; at += chunk) {
    const [was, is] = await Promise.all([before.read(left, 0, chunk, at), after.read(right, 0, chunk, at)]);
    const present = Math.max(was.bytesRead, is.bytesRead);
    for (let page = 0; page < present; page += pageBytes) {
      const end = Math.min(page + pageBytes, present);
      const same = left
        .subarray(page, Math.min(end, was.bytesRead))
        .equals(right.subarray(page, Math.min(end, is.bytesRead)));
      if (!same) total += end - page;
    }
  }
  return total;
}
