/**
 * What deleted objects still take in a bucket that keeps versions: deleting hides them, their bytes stay. Tells how much, until when
 * locks hold it, and on request removes for good what was deleted long enough ago and no lock holds.
 */
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { listVersions, type StoreVersions, type VersionedName, versionsTold } from '../store/object-versions.ts';
import { isMissing } from '../verify/read-document.ts';
import { decidePurge, type PurgeDecision } from './decide-purge.ts';

export interface PurgeOptions {
  readonly now: Date;
  /** Undefined: nothing is removed, only told. */
  readonly deletedBefore: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HeldResult {
  /** Removed for good by this run. */
  readonly purged: VersionsTold;
  /** Of deleted objects, what still takes room; the next two are parts of it. */
  readonly held: VersionsTold;
  readonly locked: VersionsTold;
  /** No lock holds these: they may be purged when they have been deleted for long enough. */
  readonly unlocked: VersionsTold;
  /** When the last of the locks ends. */
  readonly lockedUntil: Date | undefined;
}

export interface VersionsTold {
  readonly versions: number;
  readonly bytes: number;
}

const requestsAtOnce = 16;

/** Repeatable, and may be killed any time: what takes room goes before the deletion that hides it, so nothing comes back. */
export async function purgeDeleted(versions: StoreVersions, options: PurgeOptions): Promise<HeldResult> {
  const { deletedBefore, signal } = options;
  const tally = newTally();
  for await (const names of listVersions(versions, '', signal))
    await mapLimit(
      names,
      requestsAtOnce,
      async (one) => {
        const decision = decidePurge(one.versions, deletedBefore);
        if (decision.do === 'Keep') return;
        try {
          await purgeName(versions, one, decision, options, tally);
        } catch (error) {
          // Another purge was faster.
          if (!isMissing(error)) throw error;
        }
      },
      signal,
    );
  const { purged, locked, unlocked, lockedUntil } = tally;
  const held = { versions: locked.versions + unlocked.versions, bytes: locked.bytes + unlocked.bytes };
  return { purged, held, locked, unlocked, lockedUntil };
}

const newTally = () => ({
  purged: { versions: 0, bytes: 0 },
  locked: { versions: 0, bytes: 0 },
  unlocked: { versions: 0, bytes: 0 },
  lockedUntil: undefined as Date | undefined,
});
type Tally = ReturnType<typeof newTally>;

async function purgeName(
  versions: StoreVersions,
  { name }: VersionedName,
  decision: Exclude<PurgeDecision, { readonly do: 'Keep' }>,
  { now, signal }: PurgeOptions,
  tally: Tally,
): Promise<void> {
  let isHeld = false;
  for (const { id, sizeBytes } of decision.objects) {
    const lock = await versions.lockOf(name, id, signal);
    if (lock !== undefined && lock.until > now) {
      isHeld = true;
      count(tally.locked, sizeBytes);
      if (tally.lockedUntil === undefined || lock.until > tally.lockedUntil) tally.lockedUntil = lock.until;
    } else if (decision.do === 'Purge') {
      await versions.remove(name, id, signal);
      count(tally.purged, sizeBytes);
    } else count(tally.unlocked, sizeBytes);
  }
  // A deletion that hides something must stay: what is locked, or versions that were not told and go with the next run.
  const isAll = decision.objects.length + decision.deletions.length < versionsTold;
  if (isHeld || !isAll || decision.do === 'Wait') return;
  for (const { id } of decision.deletions) await versions.remove(name, id, signal);
}

function count(told: { versions: number; bytes: number }, sizeBytes: number): void {
  told.versions++;
  told.bytes += sizeBytes;
}
