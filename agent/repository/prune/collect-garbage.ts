/**
 * Two-phase garbage collection: mark what nothing needs, wait until everybody who may not know has ended, delete what is still not
 * needed. One collector at a time. Every step may be killed and repeated; docs/repository.md has the whole argument.
 */
import { StorkError } from '../../../kube/errors.ts';
import { keepLedger } from '../ledger/keep-ledger.ts';
import { type HeldLock, type LockContext, takeLock } from '../locks/repository-lock.ts';
import { ensureReserve, isStoreFull } from '../locks/reserve.ts';
import { packName } from '../repository.ts';
import { type Mark, putHolders, putMark, readMarks, removeMark, removeOrphanedWaits } from './marks.ts';
import { isRipe, type MarkLimits, type PackUsage, planDeletion, planMark } from './plan-collection.ts';
import { readUsage, type Usage } from './read-usage.ts';
import { repack } from './repack.ts';
import { removeFromIndex } from './rewrite-index.ts';

export interface CollectOptions extends MarkLimits {
  /** How long a mark waits at least. Locks are waited for anyway. */
  readonly minWaitMs: number;
  readonly effects: 'Done' | 'OnlyPlanned';
}

export interface CollectResult {
  readonly deleted: PacksTold;
  /** Marked, and in use again. */
  readonly rescued: PacksTold;
  readonly marked: PacksTold;
  /** Part of `marked`: their used blobs were copied. */
  readonly repacked: PacksTold;
  /** Could not be copied: damaged. */
  readonly damaged: readonly string[];
  /** Why older marks could not be finished, for people. */
  readonly waitsFor: readonly string[];
}

export interface PacksTold {
  readonly packs: number;
  readonly bytes: number;
}

/** Packs that are removed before the lock is looked at again. */
const removalsAtOnce = 500;

export async function collectGarbage(context: LockContext, options: CollectOptions): Promise<CollectResult> {
  const first = await deleteMarked(context, options);
  const second = await markUnused(context, options);
  const isAtOnce = options.minWaitMs === 0 && options.effects === 'Done' && second.marked.packs > 0;
  const third = isAtOnce ? await deleteMarked(context, options) : nothingDeleted;
  return {
    ...second,
    deleted: add(first.deleted, third.deleted),
    rescued: add(first.rescued, third.rescued),
    waitsFor: isAtOnce ? third.waitsFor : first.waitsFor,
  };
}

interface Deleted {
  readonly deleted: PacksTold;
  readonly rescued: PacksTold;
  readonly waitsFor: readonly string[];
}

const none: PacksTold = { packs: 0, bytes: 0 };
const nothingDeleted: Deleted = { deleted: none, rescued: none, waitsFor: [] };

/** The second phase, for all marks that are ripe. */
async function deleteMarked(context: LockContext, options: CollectOptions): Promise<Deleted> {
  const { repository, signal } = context;
  if ((await readMarks(repository, signal)).length === 0) return nothingDeleted;
  let lock: HeldLock;
  try {
    lock = await takeLock(context, options.effects === 'Done' ? 'delete' : 'read');
  } catch (error) {
    if (!(error instanceof StorkError) || error.code !== 'RepositoryLocked') throw error;
    return { ...nothingDeleted, waitsFor: [error.message] };
  }
  try {
    return await deleteUnder(lock, context, options);
  } finally {
    await lock.release();
  }
}

async function deleteUnder(lock: HeldLock, context: LockContext, options: CollectOptions): Promise<Deleted> {
  const { repository, clock, signal } = context;
  const marks = options.effects === 'Done' ? await completeMarks(lock, context) : await readMarks(repository, signal);
  const living = new Set((await lock.others()).flatMap(({ ours }) => ours?.holder ?? []));
  const ripe = marks.filter((mark) => isRipe(mark, clock.now(), options.minWaitMs, living));
  const waitsFor = marks.filter((mark) => !ripe.includes(mark)).map((mark) => describeWait(mark, options.minWaitMs));
  if (ripe.length === 0) return { ...nothingDeleted, waitsFor };
  // Nothing new can refer to marked packs from here on: stock restic is kept out, and our writers leave them alone.
  const usage = await readUsage(repository, packsOf(marks), signal);
  const { remove, rescued } = planDeletion(usage.packs, packsOf(ripe));
  if (options.effects === 'Done') {
    await removePacks(lock, context, usage, remove);
    for (const { id } of ripe) await removeMark(repository, id);
  }
  return { deleted: tell(remove), rescued: tell(rescued), waitsFor };
}

const packsOf = (marks: readonly Mark[]): ReadonlySet<string> => new Set(marks.flatMap(({ packs }) => packs));

const describeWait = ({ time, holders }: Mark, minWaitMs: number): string =>
  `the mark of ${time.toISOString()} waits until ${new Date(time.getTime() + minWaitMs).toISOString()}` +
  (holders === undefined || holders.length === 0 ? '' : `, and for ${holders.length} that worked when it was made`);

/** A collector that died between the two objects of a mark left the second to us: whoever works now may have worked then. */
async function completeMarks(lock: HeldLock, context: LockContext): Promise<readonly Mark[]> {
  const { repository, signal } = context;
  for (const { id, holders } of await readMarks(repository, signal))
    if (holders === undefined) await noteHolders(lock, context, id);
  return await readMarks(repository, signal);
}

async function noteHolders(
  lock: HeldLock,
  { repository, randomBytes }: Pick<LockContext, 'repository' | 'randomBytes'>,
  mark: string,
): Promise<void> {
  const holders = (await lock.others()).flatMap(({ ours }) => ours?.holder ?? []);
  await putHolders(repository, mark, holders, randomBytes);
}

async function removePacks(
  lock: HeldLock,
  { repository, signal }: LockContext,
  { indexed }: Usage,
  remove: readonly PackUsage[],
): Promise<void> {
  const mayGoOn = async () => {
    signal?.throwIfAborted();
    if (await lock.isHeld()) return;
    throw new StorkError({
      code: 'CollectorPaused',
      message: 'The collector stood still for so long that others may have taken it for dead; it stopped',
      hint: 'Run prune again: it goes on where it was.',
      retryable: true,
    });
  };
  const removeAll = async (packs: readonly PackUsage[]) => {
    for (let at = 0; at < packs.length; at += removalsAtOnce) {
      await mayGoOn();
      const names = packs.slice(at, at + removalsAtOnce).map(({ id }) => packName(id));
      await repository.store.removeMany(names, signal);
    }
  };
  // Those that no index names go first: that needs no room, which a full store may not have.
  await removeAll(remove.filter(({ id }) => !indexed.has(id)));
  const named = remove.filter(({ id }) => indexed.has(id));
  await mayGoOn();
  await removeFromIndex(repository, new Set(named.map(({ id }) => id)), mayGoOn, signal);
  await removeAll(named);
}

/** The first phase. */
async function markUnused(
  context: LockContext,
  options: CollectOptions,
): Promise<Pick<CollectResult, 'marked' | 'repacked' | 'damaged'>> {
  const { repository, clock, randomBytes, signal } = context;
  await using lock = await takeLock(context, options.effects === 'Done' ? 'mark' : 'read');
  const before = packsOf(await readMarks(repository, signal));
  const usage = await readUsage(repository, before, signal);
  const plan = planMark(usage.packs, before, options);
  if (options.effects === 'OnlyPlanned')
    return { marked: tell([...plan.unused, ...plan.repack]), repacked: tell(plan.repack), damaged: [] };
  const { copied, damaged } = await repackIfRoom(context, usage, plan.repack);
  const marked = [...plan.unused, ...copied];
  if (marked.length > 0) {
    const mark = await putMark(repository, { time: clock.now(), packs: marked.map(({ id }) => id) }, randomBytes);
    await noteHolders(lock, context, mark);
  }
  await removeOrphanedWaits(repository, signal);
  await keepLedgerIfRoom(context);
  await ensureReserve(repository.store, usage.indexBytes, randomBytes);
  return { marked: tell(marked), repacked: tell(copied), damaged };
}

/** What it lacks is written down by the next run. */
async function keepLedgerIfRoom(context: LockContext): Promise<void> {
  try {
    await keepLedger(context, { whenDamaged: 'Kept' });
  } catch (error) {
    if (!isStoreFull(error)) throw error;
  }
}

/** In a full store copies wait until something was deleted. */
async function repackIfRoom(context: LockContext, usage: Usage, wanted: readonly PackUsage[]) {
  const { repository, randomBytes, signal } = context;
  const ids = wanted.map(({ id }) => id);
  try {
    const { copied, damaged } = await repack(repository, usage, ids, randomBytes, signal);
    return { copied: wanted.filter(({ id }) => copied.includes(id)), damaged };
  } catch (error) {
    if (!isStoreFull(error)) throw error;
    return { copied: [], damaged: [] };
  }
}

const tell = (packs: readonly PackUsage[]): PacksTold => ({
  packs: packs.length,
  bytes: packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
});

const add = (left: PacksTold, right: PacksTold): PacksTold => ({
  packs: left.packs + right.packs,
  bytes: left.bytes + right.bytes,
});
