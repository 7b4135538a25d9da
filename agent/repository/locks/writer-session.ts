/**
 * How a writer works beside the collector. Order matters: its lock, then the marks, then the index without marked packs. So whatever
 * the writer refers to is either not marked, or was marked after its lock had appeared: then the collector waits for the lock to go.
 */
import { StorkError } from '../../../kube/errors.ts';
import type { Snapshot } from '../format/snapshot.ts';
import { snapshotFact } from '../ledger/describe-recorded.ts';
import { recordAdded } from '../ledger/write-ledger.ts';
import { readMarks } from '../prune/marks.ts';
import { refuseReplaced } from '../reencrypt/successor.ts';
import { countMissing } from '../verify/check-tree.ts';
import { type HeldLock, type LockContext, takeLock } from './repository-lock.ts';

export interface WriterSession extends AsyncDisposable {
  /** Packs that may be deleted any time: nothing may refer to them; load the index without them. */
  readonly markedPacks: ReadonlySet<string>;
  /**
   * Writes the snapshot, whose blobs are all in indexed packs. After a pause in which others may have taken us for dead, everything
   * it refers to is looked at first; throws `WriterPaused` when something is gone, and no snapshot is left. Throws `LedgerUnwritten` when
   * the snapshot is there and only the ledger does not know it.
   * @param json what is written of it, when that is more than we know of
   */
  commit(snapshot: Snapshot, json?: string): Promise<string>;
}

/** @throws `RepositoryLocked` while stock restic prunes, or a repair runs; `RepositoryReplaced` once it was encrypted anew elsewhere */
export async function beginWriting(context: LockContext): Promise<WriterSession> {
  const lock = await takeLock(context, 'write');
  try {
    const { repository, signal } = context;
    await refuseReplaced(repository, signal);
    const markedPacks = await readMarkedPacks(context);
    return {
      markedPacks,
      async commit(snapshot, json) {
        if (!(await lock.isHeld())) await lookAgain(context, lock, snapshot.tree);
        const id = await repository.putSnapshot(snapshot, signal, json);
        // Lost between the two: the restore point counts only if it is whole under a fresh lock.
        if (!(await lock.isHeld()))
          try {
            await lookAgain(context, lock, snapshot.tree);
          } catch (error) {
            await repository.store.remove(`snapshots/${id}`);
            throw error;
          }
        await recordSaved(context, id, snapshot);
        return id;
      },
      [Symbol.asyncDispose]: () => lock.release(),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** For readers that can write to the store: the collector deletes nothing that was there when they began until they end. */
export const beginReading = (context: LockContext): Promise<HeldLock> => takeLock(context, 'read');

async function readMarkedPacks({ repository, signal }: LockContext): Promise<ReadonlySet<string>> {
  return new Set((await readMarks(repository, signal)).flatMap(({ packs }) => packs));
}

/** Whoever deletes it unnoticed by us is told of by verify from here on. */
async function recordSaved(context: LockContext, id: string, snapshot: Snapshot): Promise<void> {
  try {
    await recordAdded(context, [snapshotFact(id, snapshot)]);
  } catch (cause) {
    throw new StorkError({
      code: 'LedgerUnwritten',
      message: `Restore point ${id.slice(0, 8)} is saved and whole, but the ledger could not be told of it: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Nothing of it is missing. The next `stork-agent prune` writes it down; until then its deletion would go unnoticed.',
      cause,
    });
  }
}

async function lookAgain(context: LockContext, lock: HeldLock, tree: string): Promise<void> {
  await lock.renew();
  const { repository, signal } = context;
  const missing = await countMissing({ repository, trees: [tree], except: await readMarkedPacks(context), signal });
  if (missing === 0) return;
  throw new StorkError({
    code: 'WriterPaused',
    message: `This backup stood still for so long that the collector took it for dead; ${missing} blobs it needs are gone`,
    hint: 'Run it again: what it stored is used where it is still there.',
    retryable: true,
  });
}
