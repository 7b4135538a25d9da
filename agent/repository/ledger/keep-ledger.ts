/**
 * Looks after the ledger: takes in what others added (stock restic, earlier versions, a writer that was killed), and sums it up when it has
 * become long. For one at a time: under the collector's lock, or one that lets nobody else work.
 */
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { parseSnapshot } from '../format/snapshot.ts';
import { listKeySlots } from '../keys/key-slots.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import type { Repository } from '../repository.ts';
import { isDamage, readDocument } from '../verify/read-document.ts';
import { keySlotFact, snapshotFact } from './describe-recorded.ts';
import { type Fact, factOf, isRecorded, recordedPrefixes } from './ledger-entry.ts';
import { type Replay, summaryOf } from './ledger-state.ts';
import { listEntries, readLedger } from './read-ledger.ts';
import { putEntry } from './write-ledger.ts';

export interface KeepOptions {
  /** One that is damaged stays as it is, evidence, until a repair makes it anew of what can be read. */
  readonly whenDamaged: 'Kept' | 'MadeAnew';
}

export interface Kept {
  /** Objects that nobody had recorded. */
  readonly adopted: number;
  readonly summedUp: boolean;
}

/** Entries between two summaries: what verify reads, and every writer lists. */
const entriesAtMost = 64;
const attempts = 20;
const readsAtOnce = 8;

/** Repeatable after any interruption. */
export async function keepLedger(context: LockContext, { whenDamaged }: KeepOptions): Promise<Kept> {
  const { repository, randomBytes, clock, signal } = context;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const replay = await readLedger(repository, signal);
    const isDamaged = replay.findings.length > 0;
    if (isDamaged && whenDamaged === 'Kept') return { adopted: 0, summedUp: false };
    const present = await listRecorded(repository.store, signal);
    const adopted = await unknownFacts(context, replay, present);
    const summedUp = isDamaged || replay.entries > entriesAtMost;
    if (!summedUp && adopted.length === 0) return { adopted: 0, summedUp };
    const change = summedUp
      ? addTo(summaryOf(replay.state, present, clock.now()), adopted)
      : { added: adopted, removing: [] };
    // Who forgets one of `adopted` takes a number first; so when ours is free, it was still there or is said to be going after us.
    if (!(await putEntry({ repository, randomBytes }, replay.head, { ...change, isSummary: summedUp }))) continue;
    if (summedUp) await removeBefore(repository.store, replay.head + 1, signal);
    return { adopted: adopted.length, summedUp };
  }
  return { adopted: 0, summedUp: false };
}

/** Of what is there and was never recorded. What can't be read is taken in by its name alone. */
async function unknownFacts(
  { repository, clock, signal }: LockContext,
  { state }: Replay,
  present: ReadonlySet<string>,
): Promise<readonly Fact[]> {
  const unknown = [...present].filter((name) => !state.there.has(name) && !state.removing.has(name));
  const now = clock.now();
  const slots = unknown.some((name) => name.includes('keys/')) ? await listKeySlots(repository.store, signal) : [];
  const factByName = new Map(slots.map((slot) => [slot.name, keySlotFact(slot, now)]));
  return await mapLimit(
    unknown,
    readsAtOnce,
    async (name) => factByName.get(name) ?? (await snapshotFactOf(repository, name, signal)) ?? factOf(name, now, ''),
    signal,
  );
}

async function snapshotFactOf(repository: Repository, name: string, signal: AbortSignal | undefined) {
  const [, id] = /^snapshots\/(.*)$/.exec(name) ?? [];
  if (id === undefined) return undefined;
  try {
    return snapshotFact(id, parseSnapshot(await readDocument(repository, name, signal), name));
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}

async function removeBefore(store: Repository['store'], number: number, signal: AbortSignal | undefined) {
  const older = (await listEntries(store, signal)).filter((entry) => entry.number < number);
  await store.removeMany(
    older.map(({ name }) => name),
    signal,
  );
}

const addTo = ({ added, removing }: ReturnType<typeof summaryOf>, more: readonly Fact[]) => ({
  added: [...added, ...more],
  removing,
});

/** Names of everything that is recorded when it is added. */
export async function listRecorded(store: Repository['store'], signal?: AbortSignal): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for (const prefix of recordedPrefixes)
    for await (const { name } of store.list(prefix, signal)) if (isRecorded(name)) names.add(name);
  return names;
}
