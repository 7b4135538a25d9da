/**
 * Another master key for everything: all restore points move into a new repository beside the old one, which stays as it is but for one
 * object, written last, that says so. Both are locked for nobody else. Killed anywhere, the old one is in use as before (or has been replaced by
 * one that was read back to its last byte), and the next run goes on. Nothing is ever removed here.
 */
import { StorkError } from '../../../kube/errors.ts';
import { type CopyProgress, copyBlobs } from '../copy/copy-blobs.ts';
import { type CopiedRoot, copyManifests, copySnapshots } from '../copy/copy-roots.ts';
import { keepLedger } from '../ledger/keep-ledger.ts';
import { type HeldLock, type LockContext, takeLock } from '../locks/repository-lock.ts';
import { readUsage } from '../prune/read-usage.ts';
import type { VerifyCounts } from '../verify/finding.ts';
import { readRoots, treesOf } from '../verify/read-roots.ts';
import { verify } from '../verify/verify.ts';
import { claimTarget, putSuccessor, refuseNested, refuseReplaced } from './successor.ts';

export interface ReencryptOptions {
  readonly source: LockContext;
  /** A repository of another key: empty, or what an earlier run for the same source left. */
  readonly target: LockContext;
  /** How people name the target. */
  readonly place: string;
  readonly onProgress?: ((progress: ReencryptProgress) => void) | undefined;
}

export type ReencryptProgress =
  | ({ readonly step: 'copying'; readonly totalBlobs: number } & CopyProgress)
  | { readonly step: 'verifying'; readonly packsRead: number; readonly packsToRead: number };

export interface ReencryptResult {
  /** By this run; an earlier one's are there, too. */
  readonly copied: CopyProgress;
  /** Trees and blobs keep their ids; these don't. */
  readonly snapshots: readonly CopiedRoot[];
  readonly manifests: readonly CopiedRoot[];
  readonly verified: VerifyCounts;
}

/**
 * @throws `RepositoryLocked`, `RepositoryReplaced`, `RepositoryNested`, `TargetNotEmpty`, `RepositoryDamaged`, `ReencryptionUnproven`,
 * `ReencryptionPaused`
 */
export async function reencrypt(options: ReencryptOptions): Promise<ReencryptResult> {
  const { source, target } = options;
  refuseItself(options);
  await using lock = await takeLock(source, 'alone');
  await refuseReplaced(source.repository, source.signal);
  await using targetLock = await takeLock(target, 'alone');
  await refuseNested(source.repository, source.signal);
  await claimTarget(target.repository, source.repository.config.id, target.randomBytes, source.signal);
  const result = await copyAndVerify(options);
  await refuseLost(lock, targetLock);
  await refuseUncopied(options);
  const { clock, randomBytes } = target;
  const { id } = target.repository.config;
  await putSuccessor(source.repository, { place: options.place, id, time: clock.now() }, randomBytes);
  return result;
}

async function copyAndVerify({ source, target, onProgress }: ReencryptOptions): Promise<ReencryptResult> {
  const [from, to] = [source.repository, target.repository];
  const { clock, randomBytes } = target;
  const { signal } = source;
  const usage = await readUsage(from, new Set(), signal);
  const totalBlobs = usage.used.size;
  const copied = await copyBlobs({
    ...{ source: from, target: to, usage, clock, randomBytes, signal },
    onProgress: (progress) => onProgress?.({ step: 'copying', totalBlobs, ...progress }),
  });
  // Restore points last: whatever is visible is complete.
  const snapshots = await copySnapshots(from, to, randomBytes, signal);
  const manifests = await copyManifests(from, to, randomBytes, signal);
  await keepLedger(target, { whenDamaged: 'Kept' });
  const { damage, affected, checked } = await verify({
    repository: to,
    depth: { read: 'everything' },
    signal,
    onProgress: (progress) => onProgress?.({ step: 'verifying', ...progress }),
  });
  if (damage.length > 0 || affected.length > 0)
    failUnproven(`${damage.length} of its objects are damaged, the first is ${damage[0]?.object ?? affected[0]?.path}`);
  return { copied, snapshots, manifests, verified: checked };
}

/** Every tree of every root, as both say now: trees are named by their content, so equal names are equal restore points. */
async function refuseUncopied({ source, target }: ReencryptOptions): Promise<void> {
  const { signal } = source;
  const there = new Set(treesOf(await readRoots(target.repository, { signal })));
  const missing = treesOf(await readRoots(source.repository, { signal })).filter((tree) => !there.has(tree));
  if (missing.length > 0) failUnproven(`${missing.length} restore points of the old one are not in it`);
}

function failUnproven(what: string): never {
  throw new StorkError({
    code: 'ReencryptionUnproven',
    message: `The new repository is not a whole copy: ${what}. The old one is in use as before`,
    hint: 'Look at both with `stork-agent verify`, and run it again; or begin anew in another place.',
  });
}

/** A machine that slept for so long may have been taken for dead: somebody may have written meanwhile. */
async function refuseLost(...locks: readonly HeldLock[]): Promise<void> {
  for (const lock of locks)
    if (!(await lock.isHeld()))
      throw new StorkError({
        code: 'ReencryptionPaused',
        message:
          'This run stood still for so long that others took it for dead; the old repository is in use as before',
        hint: 'Run it again: what is copied is not copied again.',
        retryable: true,
      });
}

function refuseItself({ source, target }: ReencryptOptions): void {
  if (source.repository.config.id !== target.repository.config.id) return;
  throw new StorkError({
    code: 'TargetNotEmpty',
    message: 'The new repository is the old one',
    about: target.repository.store.description,
    hint: 'Name a place where nothing is.',
  });
}
