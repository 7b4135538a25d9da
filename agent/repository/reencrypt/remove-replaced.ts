/**
 * Removes a repository that was encrypted anew, on request only: its successor is read back to the last byte first, and has every restore
 * point that is left here, or the missing ones were allowed to be gone. Killed before the last few objects, the next run goes on.
 */
import { StorkError } from '../../../kube/errors.ts';
import { isRecorded } from '../ledger/ledger-entry.ts';
import { type LockContext, takeLock } from '../locks/repository-lock.ts';
import type { Repository } from '../repository.ts';
import { readRoots, treesOf } from '../verify/read-roots.ts';
import { verify } from '../verify/verify.ts';
import { readSuccessor, refuseNested, successorName } from './successor.ts';

export interface RemoveReplacedOptions {
  readonly old: LockContext;
  readonly successor: LockContext;
  /** Restore points of the old one that the successor has no more: forgotten there, or never copied. */
  readonly missingThere: 'Refused' | 'Allowed';
  readonly onProgress?: ((progress: { readonly packsRead: number; readonly packsToRead: number }) => void) | undefined;
}

export interface RemovedReplaced {
  readonly objects: number;
  readonly bytes: number;
  /** Ids of restore points that are nowhere any more. */
  readonly lost: readonly string[];
}

/** @throws `RepositoryNotReplaced`, `RestorePointsMissing`, `ReencryptionUnproven`, `RepositoryNested`, `RepositoryLocked`; nothing is removed then */
export async function removeReplaced(options: RemoveReplacedOptions): Promise<RemovedReplaced> {
  const { old, successor } = options;
  await refuseUnreplaced(old, successor);
  const lock = await takeLock(old, 'alone');
  try {
    await using _reading = await takeLock(successor, 'read');
    await refuseNested(old.repository, old.signal);
    const lost = await findLost(options);
    await refuseDamaged(options);
    const removed = await removeContent(old);
    await lock.release();
    const { objects, bytes } = await removeEntrance(old.repository);
    return { objects: removed.objects + objects, bytes: removed.bytes + bytes, lost };
  } finally {
    await lock.release();
  }
}

async function refuseUnreplaced({ repository, signal }: LockContext, successor: LockContext): Promise<void> {
  const told = await readSuccessor(repository, signal);
  if (told?.id === successor.repository.config.id && told.id !== repository.config.id) return;
  throw new StorkError({
    code: 'RepositoryNotReplaced',
    message:
      told === undefined
        ? 'This repository was not encrypted anew: nothing has taken its place'
        : `Another repository (${told.id.slice(0, 8)}, ${told.place}) has taken its place`,
    about: repository.store.description,
    hint: 'Name the old one with --repo, the new one with --new-repo; `key rotate --reencrypt` makes that.',
  });
}

async function findLost({ old, successor, missingThere }: RemoveReplacedOptions): Promise<readonly string[]> {
  const { signal } = old;
  const there = new Set(treesOf(await readRoots(successor.repository, { signal })));
  const { snapshots, manifests } = await readRoots(old.repository, { signal });
  const lost = [
    ...snapshots.filter(({ tree }) => !there.has(tree)).map(({ id }) => id),
    ...manifests.filter(({ trees }) => trees.some((tree) => !there.has(tree))).map(({ name }) => name),
  ];
  if (lost.length === 0 || missingThere === 'Allowed') return lost;
  throw new StorkError({
    code: 'RestorePointsMissing',
    message: `The new repository does not have ${lost.length} restore points of this one, as ${lost[0]?.slice(0, 24)}`,
    about: old.repository.store.description,
    hint: 'When they were forgotten there on purpose, say so with --allow-forgotten.',
  });
}

async function refuseDamaged({ successor, onProgress }: RemoveReplacedOptions): Promise<void> {
  const { repository, signal } = successor;
  const report = await verify({ repository, depth: { read: 'everything' }, signal, onProgress });
  const { affected } = report;
  // What was removed there as a whole is `findLost`'s to judge.
  const damage = report.damage.filter(({ object, kind }) => kind !== 'missing' || !isRecorded(object));
  if (damage.length === 0 && affected.length === 0) return;
  throw new StorkError({
    code: 'ReencryptionUnproven',
    message: `The new repository is not whole: ${damage[0]?.object ?? affected[0]?.path}. Nothing was removed here`,
    about: repository.store.description,
    hint: 'The old one may still have what is damaged there: `stork-agent verify --read-data` for both.',
  });
}

const contentFolders = ['snapshots/', 'index/', 'data/', 'stork/'];
const entranceFolders = ['locks/', 'stork/', 'keys/'];
const keptUntilLast = (name: string): boolean => name === successorName || name.startsWith('stork/keys/');

/** All but what it takes to open the repository and to know that it was replaced. */
async function removeContent({ repository, clock, signal }: LockContext) {
  const { store } = repository;
  const removed = await removeFolders(store, contentFolders, keptUntilLast, signal);
  await store.removeLeftovers(clock.now(), signal);
  return removed;
}

async function removeEntrance({ store }: Repository) {
  const removed = await removeFolders(store, entranceFolders, () => false, undefined);
  await store.remove('config');
  return { ...removed, objects: removed.objects + 1 };
}

const removalsAtOnce = 500;

async function removeFolders(
  store: Repository['store'],
  folders: readonly string[],
  isKept: (name: string) => boolean,
  signal: AbortSignal | undefined,
) {
  const removed = { objects: 0, bytes: 0 };
  for (const folder of folders) {
    let names: string[] = [];
    const remove = async () => {
      await store.removeMany(names, signal);
      names = [];
    };
    for await (const { name, sizeBytes } of store.list(folder, signal)) {
      if (isKept(name)) continue;
      names.push(name);
      removed.objects++;
      removed.bytes += sizeBytes;
      if (names.length >= removalsAtOnce) await remove();
    }
    if (names.length > 0) await remove();
  }
  return removed;
}
