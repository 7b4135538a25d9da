/**
 * Reads a whole volume of which nothing is known, in walk order as `scanVolume` does: plain entries come as records, a few hundred at
 * once, and everything else (hard links, special files, files of several segments) as items.
 */
import { comparePaths } from './entry.ts';
import type { RecordAnswer, RecordJob } from './job.ts';
import { gatherPlain, isPlain, type PlainUnits } from './plain-units.ts';
import { highOf, lowOf } from './raw-stat.ts';
import { answerTo, batchesOf, batchOf, type ScannedBatch, type ScanOptions, type Unit } from './scan-volume.ts';
import type { ByteString } from './syscalls.ts';
import type { RecordRun } from './tree-record.ts';
import { type FoundEntry, openWalk, type Walk } from './walk.ts';

export interface RecordScanOptions extends Omit<ScanOptions, 'known' | 'onFound'> {
  /** What changed later is marked as not settled; nothing when undefined. */
  readonly settledNs?: bigint | undefined;
}

type Group = { readonly units: readonly Unit[] } | { readonly plain: PlainUnits };

/** So many entries after one that isn't plain come as items as well: in a mixed tree jobs would become too small. */
const mixedEntries = 64;

export async function* scanRecords(options: RecordScanOptions): AsyncGenerator<ScannedBatch> {
  const { pool, root, signal, syscalls } = options;
  const counts = { vanished: 0 };
  const walk = openWalk(root, syscalls, counts);
  const dropped = new Set<ByteString>();
  const inFlight: (() => Promise<readonly ScannedBatch[]>)[] = [];
  try {
    for (const group of groupsOf(walk, options)) {
      signal?.throwIfAborted();
      inFlight.push('plain' in group ? startRecords(group.plain, options) : startUnits(group.units, options, dropped));
      const oldest = inFlight.length > pool.workers ? inFlight.shift() : undefined;
      if (oldest !== undefined) yield* await oldest();
    }
    for (const finish of inFlight) yield* await finish();
  } finally {
    walk.close();
  }
  if (counts.vanished > 0) yield { ...nothing, warnings: { vanished: counts.vanished } };
}

const nothing: ScannedBatch = {
  items: [],
  pack: undefined,
  warnings: {},
  bytesRead: 0,
  size: { files: 0, bytes: 0 },
};

function* groupsOf(walk: Walk, options: RecordScanOptions): Generator<Group> {
  const { packAfter } = options;
  const gatherer = gatherPlain();
  let others: FoundEntry[] = [];
  const takeOthers = function* (): Generator<Group> {
    const taken = others;
    others = [];
    for (const units of batchesOf(taken, options)) yield { units };
  };
  let mixed = 0;
  while (walk.next()) {
    // The receiver asks for what it doesn't have of those before.
    const isNew = packAfter === undefined || packAfter === '' || comparePaths(walk.path, packAfter) > 0;
    const isRoot = walk.name === '';
    const plain = isNew && !isRoot && isPlain(walk.stat);
    if (!isRoot) mixed = plain ? Math.max(0, mixed - 1) : mixedEntries;
    if (plain && mixed === 0) {
      if (others.length > 0) yield* takeOthers();
      if (gatherer.isFullFor(walk.stat)) yield { plain: gatherer.take() };
      gatherer.add(walk);
      continue;
    }
    if (!gatherer.isEmpty) yield { plain: gatherer.take() };
    others.push(walk.found());
    if (others.length >= mixedEntries) yield* takeOthers();
  }
  if (!gatherer.isEmpty) yield { plain: gatherer.take() };
  yield* takeOthers();
}

/** Begins at once; what is dropped is found out when its turn comes. */
function startUnits(units: readonly Unit[], options: RecordScanOptions, dropped: Set<ByteString>) {
  const answer = answerTo(units, options);
  // A rejection is seen when its turn comes; until then it must not count as unhandled.
  answer.catch(() => undefined);
  return async () => [batchOf(units, await answer, dropped)];
}

function startRecords(units: PlainUnits, options: RecordScanOptions) {
  const batches = recordBatches(units, options);
  batches.catch(() => undefined);
  return () => batches;
}

async function recordBatches(units: PlainUnits, options: RecordScanOptions): Promise<readonly ScannedBatch[]> {
  const batches: ScannedBatch[] = [];
  for (let job = recordJob(units, options); job.from < job.to; ) {
    const answer = await options.pool.run(job, options.signal);
    batches.push(recordBatch(job, answer));
    job = { ...job, from: answer.done };
  }
  return batches;
}

function recordJob(units: PlainUnits, options: RecordScanOptions): RecordJob {
  const { key, root, settledNs, tags = false, packAfter, fromStorage = false } = options;
  const settled = settledNs === undefined ? undefined : { low: lowOf(settledNs), high: highOf(settledNs) };
  const how = { settled, tags, pack: packAfter !== undefined, fromStorage };
  return { do: 'record', key, root, units, from: 0, to: units.paths.length, isWhole: false, ...how };
}

function recordBatch(job: RecordJob, answer: RecordAnswer): ScannedBatch {
  const { warnings, bytesRead, entries, bytes } = answer;
  if (entries === 0) return { ...nothing, warnings, bytesRead };
  const path = job.units.paths[job.from] ?? '';
  const again = { ...job, to: answer.done, isWhole: true };
  const item = { is: 'records', run: runOf(answer), path, pack: answer.pack, job: again } as const;
  return { items: [item], pack: undefined, warnings, bytesRead, size: { files: entries, bytes } };
}

/** What was read as a run of records. */
export function runOf({ encoded, entries, records, bytes }: RecordAnswer): RecordRun {
  const piece = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  return { pieces: [piece], entries, records, bytes };
}
