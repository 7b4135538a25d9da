/**
 * Reads a whole volume in walk order: entries with all metadata, each followed by the hashes of its segments. Jobs run ahead on
 * the pool, answers come out in order, memory is bounded by the jobs in flight. One code for the source's copy, the destination's
 * scan of itself, its verification and the `digest` diagnostic: so they cannot disagree.
 */
import { hashBytes, type RunKey } from './content-hash.ts';
import type { Counts } from './contract.ts';
import { comparePaths, type Entry, hasContent } from './entry.ts';
import type { Pack, RecordAnswer, RecordJob, ScanAnswer, ScanJob, SegmentBase, VolumeSize, WorkerPool } from './job.ts';
import type { KnownRun, KnownTree } from './known-tree.ts';
import { segmentCount, segmentLength } from './layout.ts';
import { fail } from './mover-error.ts';
import { packLimitBytes } from './pack-codec.ts';
import { encodeUnits, type ScanUnit } from './scan-units.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import type { TreeDigester } from './tree-digest.ts';
import type { TreeSegment } from './tree-file.ts';
import type { RecordRun } from './tree-record.ts';
import { type FoundEntry, openWalk, type VolumeKind, type Walk, walkDevice } from './walk.ts';
import type { WrittenBlocks } from './written-blocks.ts';

export interface ScanOptions {
  readonly key: RunKey;
  readonly root: ByteString;
  readonly kind: VolumeKind;
  /** Of a block device: how many bytes count; all when undefined. */
  readonly sizeBytes?: number | undefined;
  /** Contents of entries after this path come along as packs; of none when undefined, of all when ''. */
  readonly packAfter?: ByteString | undefined;
  /** Read from storage rather than from the page cache, as far as the kernel lets us. */
  readonly fromStorage?: boolean | undefined;
  /** What only has to be read from storage of the files that it knows. */
  readonly written?: WrittenBlocks | undefined;
  /** What an earlier scan found: what is the same is not read again. */
  readonly known?: KnownTree | undefined;
  /** The peer holds what is known: of files that changed since, what changed comes along as packs. */
  readonly packChanges?: boolean | undefined;
  /** The peer holds all that is known, metadata too: entries say whether they are part of it. */
  readonly markSame?: boolean | undefined;
  /** What is the same comes in runs of records, where it can. */
  readonly inRuns?: boolean | undefined;
  /** Tags of blocks come along, of all but small segments. */
  readonly tags?: boolean | undefined;
  /** Sees each entry as the walk finds it. */
  readonly onFound?: ((found: FoundEntry) => void) | undefined;
  readonly pool: WorkerPool;
  readonly syscalls: Syscalls;
  readonly signal?: AbortSignal | undefined;
}

export type ScannedItem =
  | ScannedRecords
  | {
      readonly is: 'entry';
      readonly entry: Entry;
      readonly sparse: boolean;
      /** As the walk saw it, with its attributes. */
      readonly found: FoundEntry;
      /** When the peer has it, with all its segments: the entry after the one before it there, or others lie between there. */
      readonly same: 'Next' | 'Later' | undefined;
      /** Its record in the tree that is known, when it is the same. */
      readonly encoded: Uint8Array | undefined;
    }
  | { readonly is: 'segment'; readonly hash: Buffer; readonly tags: Uint8Array | undefined }
  /** Entries with their segments, as they are known. */
  | ScannedRun;

/** Plain entries with their segments, as a tree file has them. */
export interface ScannedRecords {
  readonly is: 'records';
  readonly run: RecordRun;
  /** Of the first. */
  readonly path: ByteString;
  /** Their contents, when asked for. */
  readonly pack: RecordAnswer['pack'];
  /** What reads them, once more when need be. */
  readonly job: RecordJob;
}

export interface ScannedRun {
  readonly is: 'run';
  readonly run: KnownRun;
}

export interface ScannedBatch {
  readonly items: readonly ScannedItem[];
  /** `at` of its parts are indices into `items`. */
  readonly pack: Pack | undefined;
  readonly warnings: Counts;
  readonly bytesRead: number;
  /** Of the batch, holes included. */
  readonly size: VolumeSize;
}

/** What a worker is asked for at once. */
const unitsPerJob = 256;
/** With those that are known. */
const unitsPerBatch = 2048;

/** A unit of the walk; what is known of it is for no worker. */
export interface Unit extends ScanUnit {
  /** Then it is nothing else. */
  readonly run?: KnownRun | undefined;
  readonly found: FoundEntry | undefined;
  readonly same: 'Next' | 'Later' | undefined;
  readonly encoded: Uint8Array | undefined;
  readonly known?: TreeSegment | 'Entry' | undefined;
  readonly base?: SegmentBase | undefined;
}

export async function* scanVolume(options: ScanOptions): AsyncGenerator<ScannedBatch> {
  const { pool, root, signal } = options;
  const counts = { vanished: 0 };
  const found =
    options.kind === 'block'
      ? [walkDevice(root, options.syscalls, options.sizeBytes)]
      : foundOrKnown(openWalk(root, options.syscalls, counts), options);
  // Files that were gone when read: their later segments and other names go with them.
  const dropped = new Set<ByteString>();
  const inFlight: { readonly units: readonly Unit[]; readonly answer: Promise<ScanAnswer> }[] = [];
  for (const units of batchesOf(found, options)) {
    signal?.throwIfAborted();
    const answer = answerTo(units, options);
    // A rejection is seen when its turn comes; until then it must not count as unhandled.
    answer.catch(() => undefined);
    inFlight.push({ units, answer });
    const oldest = inFlight.length > pool.workers ? inFlight.shift() : undefined;
    if (oldest !== undefined) yield batchOf(oldest.units, await oldest.answer, dropped);
  }
  for (const { units, answer } of inFlight) yield batchOf(units, await answer, dropped);
  if (counts.vanished > 0) {
    yield { items: [], pack: undefined, warnings: { vanished: counts.vanished }, bytesRead: 0, size: nothing };
  }
}

export async function answerTo(units: readonly Unit[], options: ScanOptions): Promise<ScanAnswer> {
  const { key, pool, root, signal, fromStorage = false, tags = false } = options;
  const asked = units.filter(({ known }) => known === undefined);
  if (asked.length === 0) return nothingRead;
  const pack = isPacked(asked, options.packAfter);
  const bases = asked.some(({ base }) => base !== undefined) ? asked.map(({ base }) => base) : undefined;
  const written = fromStorage ? writtenOf(asked, options.written) : undefined;
  const how = { bases, tags, pack, fromStorage, written };
  return await pool.run({ do: 'scan', key, root, units: encodeUnits(asked), ...how }, signal);
}

function writtenOf(units: readonly Unit[], written: WrittenBlocks | undefined): ScanJob['written'] {
  if (written === undefined) return undefined;
  return units.map(({ place }) => place && written.blocksOf(place.path, place.segment));
}

const nothing: VolumeSize = { files: 0, bytes: 0 };
const nothingRead: ScanAnswer = {
  details: [],
  gone: [],
  hashes: new Uint8Array(0),
  tags: [],
  pack: undefined,
  warnings: {},
  bytesRead: 0,
};

export function digestBatch(digester: TreeDigester, { items }: Pick<ScannedBatch, 'items'>): void {
  for (const item of items) {
    if (item.is === 'run' || item.is === 'records') digester.addRun(item.run);
    else if (item.is === 'entry') digester.addEntry(item.entry);
    else digester.addSegment(item.hash);
  }
}

/** What the walk finds, or that it is as it is known, in runs. */
function* foundOrKnown(walk: Walk, { known, inRuns = false }: ScanOptions): Generator<FoundEntry | KnownRun> {
  try {
    while (walk.next()) {
      const isKnown = inRuns && known?.extendRun(walk) === true;
      if (isKnown && known.runRecords < unitsPerBatch) continue;
      const run = inRuns ? known?.takeRun() : undefined;
      if (run !== undefined) yield run;
      if (!isKnown) yield walk.found();
    }
    const run = inRuns ? known?.takeRun() : undefined;
    if (run !== undefined) yield run;
  } finally {
    walk.close();
  }
}

function isPacked(units: readonly Unit[], packAfter: ByteString | undefined): boolean {
  const first = units[0];
  const path = first?.entry?.path ?? first?.place?.path;
  if (packAfter === undefined || path === undefined) return false;
  return packAfter === '' || comparePaths(path, packAfter) > 0;
}

/** Groups units so that a job reads at most one segment's worth of bytes. */
export function* batchesOf(entries: Iterable<FoundEntry | KnownRun>, options: ScanOptions): Generator<readonly Unit[]> {
  let units: Unit[] = [];
  let bytes = 0;
  let asked = 0;
  let weight = 0;
  const isFull = () => asked >= unitsPerJob || weight >= unitsPerBatch;
  for (const unit of unitsOf(entries, options)) {
    const isRead = unit.place !== undefined && unit.known === undefined;
    const length = isRead ? segmentLength(unit.place.size, unit.place.segment) : 0;
    if (units.length > 0 && (isFull() || bytes + length > packLimitBytes)) {
      yield units;
      units = [];
      bytes = 0;
      asked = 0;
      weight = 0;
    }
    units.push(unit);
    weight += unit.run?.records ?? 1;
    if (unit.known === undefined) asked++;
    bytes += length;
  }
  if (units.length > 0) yield units;
}

const noEntry = { found: undefined, same: undefined, encoded: undefined, entry: undefined } as const;
const onlyRun = { ...noEntry, place: undefined, known: 'Entry' } as const;

function* unitsOf(entries: Iterable<FoundEntry | KnownRun>, options: ScanOptions): Generator<Unit> {
  const { onFound, known, packChanges, markSame = false } = options;
  for (const met of entries) {
    if ('pieces' in met) {
      yield { ...onlyRun, run: met };
      continue;
    }
    onFound?.(met);
    const meeting = known?.meet(met);
    const isSame = meeting?.is === 'Same';
    const found = isSame ? { ...met, entry: meeting.entry } : met;
    const { path, size } = found.entry;
    const segments = hasContent(found.entry) ? segmentCount(size) : 0;
    const entry = isSame ? undefined : found.entry;
    const same = isSame && markSame ? meeting.order : undefined;
    const encoded = isSame ? meeting.encoded : undefined;
    if (segments === 0) yield { found, same, encoded, entry, place: undefined, known: isSame ? 'Entry' : undefined };
    const isPacked = packChanges === true && meeting?.is === 'Changed';
    for (let segment = 0; segment < segments; segment++) {
      const place = { path, size, segment, sparse: found.sparse };
      const before = meeting === undefined || meeting.is === 'New' ? undefined : known?.nextSegment();
      const unit = { place, ...(segment === 0 ? { found, same, encoded, entry } : noEntry) };
      if (isSame) yield { ...unit, known: before ?? fail('CacheDamaged', 'A tree file lacks a segment', path) };
      else yield { ...unit, base: isPacked ? baseOf(before) : undefined };
    }
  }
}

/** Copied: a view would take all that was read with it to the worker. */
const baseOf = (before: TreeSegment | undefined): SegmentBase => ({
  hash: before === undefined ? undefined : Buffer.from(before.hash),
  tags: before?.tags,
});

/** What became of a batch's units, in order; those that were known are no part of the answer. */
export function batchOf(units: readonly Unit[], answer: ScanAnswer, dropped: Set<ByteString>): ScannedBatch {
  const details = new Map(answer.details.map(([at, target, xattrs]) => [at, { target, xattrs }]));
  const gone = new Set(answer.gone);
  const items: ScannedItem[] = [];
  const itemOfUnit = new Map<number, number>();
  let asked = 0;
  let segments = 0;
  for (const unit of units) {
    const { found, place, known, run } = unit;
    if (run !== undefined) items.push({ is: 'run', run });
    const at = known === undefined ? asked++ : -1;
    const entry = found === undefined ? undefined : withDetail(found.entry, details.get(at));
    if (entry !== undefined && (gone.has(at) || isDropped(entry, dropped))) dropped.add(entry.path);
    else if (found !== undefined && entry !== undefined) items.push(entryItem(found, entry, unit));
    if (place === undefined || known === 'Entry') continue;
    const segment = known ?? answered(answer, segments++);
    if (dropped.has(place.path)) continue;
    if (known === undefined) itemOfUnit.set(at, items.length);
    items.push({ is: 'segment', hash: segment.hash, tags: segment.tags });
  }
  const { pack, warnings, bytesRead } = answer;
  const size = sizeOf(units);
  if (pack === undefined) return { items, pack, warnings, bytesRead, size };
  const parts = pack.parts.flatMap((part) => {
    const item = itemOfUnit.get(part.at);
    return item === undefined ? [] : [{ ...part, at: item }];
  });
  return { items, pack: { ...pack, parts }, warnings, bytesRead, size };
}

function answered(
  { hashes, tags }: ScanAnswer,
  segment: number,
): Pick<TreeSegment, 'hash'> & { readonly tags: Uint8Array | undefined } {
  const hash = Buffer.from(hashes.subarray(segment * hashBytes, (segment + 1) * hashBytes));
  return { hash, tags: tags[segment] };
}

const entryItem = (found: FoundEntry, entry: Entry, { same, encoded }: Unit): ScannedItem => ({
  is: 'entry',
  same,
  encoded,
  entry,
  sparse: found.sparse,
  found: found.entry === entry ? found : { ...found, entry },
});

function sizeOf(units: readonly Unit[]): VolumeSize {
  let files = 0;
  let bytes = 0;
  for (const { found, place, run } of units) {
    files += run?.entries ?? (found === undefined ? 0 : 1);
    bytes += run?.bytes ?? 0;
    if (place !== undefined) bytes += segmentLength(place.size, place.segment);
  }
  return { files, bytes };
}

const isDropped = (entry: Entry, dropped: ReadonlySet<ByteString>): boolean =>
  entry.type === 'hardlink' && dropped.has(entry.target);

function withDetail(entry: Entry, detail: Pick<Entry, 'target' | 'xattrs'> | undefined): Entry {
  if (detail === undefined) return entry;
  return { ...entry, target: entry.type === 'symlink' ? detail.target : entry.target, xattrs: detail.xattrs };
}
