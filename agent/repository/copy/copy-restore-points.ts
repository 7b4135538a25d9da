/**
 * Copies restore points into another repository, beside what that one has, and beside its writers and collector: a writer like a backup. So
 * the order is a backup's: blobs, their index, then the restore points, the oldest first; and these only after everything they need was looked
 * for there. What the target has is not sent: no tree below a root that it has, and no blob that it has. Source of what a copy says: `restic copy`.
 */
import { StorkError } from '../../../kube/errors.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { beginWriting, type WriterSession } from '../locks/writer-session.ts';
import { addUsed } from '../prune/read-usage.ts';
import type { Repository } from '../repository.ts';
import { blobSet } from '../verify/blob-set.ts';
import { countMissing, locateWhole } from '../verify/check-tree.ts';
import { againWhenReplaced } from '../verify/read-index.ts';
import { readSnapshotDocuments, type SnapshotDocument } from '../verify/read-roots.ts';
import { type CopyProgress, copyBlobs } from './copy-blobs.ts';
import { type CopiedRoot, rewriteSnapshot } from './copy-roots.ts';
import { planCopy } from './plan-copy.ts';

export interface CopyRestorePointsOptions {
  /** Nothing may be deleted there meanwhile: the caller holds a reader's lock, or knows. */
  readonly source: Repository;
  readonly target: LockContext;
  /** Of the source; one that comes twice is copied once. */
  readonly chosen: readonly SnapshotDocument[];
  readonly onProgress?: ((progress: CopyProgress & { readonly blobsNeeded: number }) => void) | undefined;
}

export interface CopiedRestorePoints {
  readonly copied: readonly CopiedRoot[];
  /** Were there before. */
  readonly there: readonly CopiedRoot[];
  readonly sent: CopyProgress;
}

const nothing: CopyProgress = { blobs: 0, bytes: 0, packs: 0 };

/**
 * May be killed and repeated: what is there is not copied again, and no restore point is there that is not whole.
 * @throws `CopyIntoItself`, `CopyUnproven`, `RepositoryDamaged` naming what the source lacks, `RepositoryLocked`, `WriterPaused`
 */
export async function copyRestorePoints(options: CopyRestorePointsOptions): Promise<CopiedRestorePoints> {
  const { source, target, chosen } = options;
  const { repository, signal } = target;
  refuseItself(source, repository);
  await using session = await beginWriting(target);
  // One of the target that is damaged is none: what it needs is not there for sure, and a copy of it is welcome.
  const known = await readSnapshotDocuments(repository, { signal, onDamage: () => {} });
  const { missing, there } = planCopy(uniqueById(chosen), known);
  if (missing.length === 0) return { copied: [], there, sent: nothing };
  const sent = await sendBlobs(options, session, missing, known);
  await refuseUnproven(repository, session, missing, signal);
  const copies = new Map(there.map(({ from, to }) => [from, to]));
  const copied: CopiedRoot[] = [];
  for (const { id, text, snapshot } of missing) {
    const to = await session.commit(snapshot, rewriteSnapshot(text, id, copies.get(snapshot.parent ?? '')));
    copies.set(id, to);
    copied.push({ from: id, to });
  }
  return { copied, there, sent };
}

const uniqueById = (documents: readonly SnapshotDocument[]): readonly SnapshotDocument[] => [
  ...new Map(documents.map((document) => [document.id, document])).values(),
];

async function sendBlobs(
  { source, target, onProgress }: CopyRestorePointsOptions,
  { markedPacks }: WriterSession,
  missing: readonly SnapshotDocument[],
  known: readonly SnapshotDocument[],
): Promise<CopyProgress> {
  const { repository, clock, randomBytes, signal } = target;
  const { used, locations } = await againWhenReplaced(async () => {
    const locations = await locateWhole(source, new Set(), signal);
    const used = blobSet();
    // Whatever a restore point of the target needs is there.
    for (const { snapshot } of known) used.add(snapshot.tree, 'tree');
    const roots = missing.map(({ snapshot }) => snapshot.tree);
    await addUsed({ repository: source, locations, roots, used, otherwise: 'nothing is copied', signal });
    return { used, locations };
  });
  return await copyBlobs({
    ...{ source, target: repository, usage: { used, locations }, except: markedPacks, clock, randomBytes, signal },
    onProgress: (progress) => onProgress?.({ ...progress, blobsNeeded: used.size }),
  });
}

async function refuseUnproven(
  repository: Repository,
  { markedPacks }: WriterSession,
  missing: readonly SnapshotDocument[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const trees = missing.map(({ snapshot }) => snapshot.tree);
  const lost = await countMissing({ repository, trees, except: markedPacks, signal });
  if (lost === 0) return;
  throw new StorkError({
    code: 'CopyUnproven',
    message: `${lost} blobs that the copies need are not in the target, although it has restore points that need them, too; no restore point was copied`,
    hint: 'Look at the target with `stork-agent verify`.',
  });
}

function refuseItself(source: Repository, target: Repository): void {
  if (source.config.id !== target.config.id) return;
  throw new StorkError({
    code: 'CopyIntoItself',
    message: 'Both are the same repository, or one is a copy of its files',
    about: target.store.description,
    hint: 'Name another repository; make one with `stork-agent repo init`.',
  });
}
