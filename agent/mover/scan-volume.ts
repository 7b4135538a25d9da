/**
 * Reads a whole volume in walk order: entries with all metadata, each followed by the hashes of its segments. Jobs run ahead on
 * the pool, answers come out in order, memory is bounded by the jobs in flight. One code for the source's copy, the destination's
 * scan of itself, its verification and the `digest` diagnostic: so they cannot disagree.
 */
import { hashBytes, type RunKey } from './content-hash.ts';
import type { Counts } from './contract.ts';
import { comparePaths, type Entry, hasContent } from './entry.ts';
import type { Pack, ScanAnswer, VolumeSize, WorkerPool } from './job.ts';
import type { KnownEntries, KnownEntry } from './known-entries.ts';
import { segmentCount, segmentLength } from './layout.ts';
import { packLimitBytes } from './pack-codec.ts';
import { encodeUnits, type ScanUnit } from './scan-units.ts';
import { sumCounts } from './settle.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';
import { type FoundEntry, type VolumeKind, walkDevice, walkTree } from './walk.ts';

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
  /** What need not be read. */
  readonly known?: KnownEntries | undefined;
  /** Sees each entry as the walk finds it. */
  readonly onFound?: ((found: FoundEntry) => void) | undefined;
  readonly pool: WorkerPool;
  readonly syscalls: Syscalls;
  readonly signal?: AbortSignal | undefined;
}

export type ScannedItem =
  | {
      readonly is: 'entry';
      readonly entry: Entry;
      readonly sparse: boolean;
      readonly inode: bigint;
      readonly changedNs: bigint;
    }
  | { readonly is: 'segment'; readonly hash: Buffer };

export interface ScannedBatch {
  readonly items: readonly ScannedItem[];
  /** `at` of its parts are indices into `items`. */
  readonly pack: Pack | undefined;
  readonly warnings: Counts;
  readonly bytesRead: number;
  /** Of the batch, holes included. */
  readonly size: VolumeSize;
}

const unitsPerJob = 256;

/** With `known`: all of an entry at once, for no worker. */
type Unit = ScanUnit & { readonly found: FoundEntry | undefined; readonly known?: KnownEntry };

const isAsked = ({ known }: Unit): boolean => known === undefined;

export async function* scanVolume(options: ScanOptions): AsyncGenerator<ScannedBatch> {
  const { pool, root, signal } = options;
  const counts = { vanished: 0 };
  const found =
    options.kind === 'block' ? [walkDevice(root, options.syscalls, options.sizeBytes)] : walkTree(root, counts);
  // Files that were gone when read: their later segments and other names go with them.
  const dropped = new Set<ByteString>();
  const inFlight: { readonly units: readonly Unit[]; readonly answer: Promise<ScanAnswer> }[] = [];
  for (const units of batchesOf(found, options)) {
    signal?.throwIfAborted();
    const asked = units.filter(isAsked);
    const pack = isPacked(asked, options.packAfter);
    const { key, fromStorage = false } = options;
    const answer =
      asked.length === 0
        ? Promise.resolve(nothingRead)
        : pool.run({ do: 'scan', key, root, units: encodeUnits(asked), pack, fromStorage }, signal);
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

const nothing: VolumeSize = { files: 0, bytes: 0 };
const nothingRead: ScanAnswer = {
  details: [],
  gone: [],
  hashes: new Uint8Array(0),
  pack: undefined,
  warnings: {},
  bytesRead: 0,
};

/** The digest of a volume as it is now. @param onProgress is told after each batch */
export async function digestVolume(
  options: ScanOptions,
  onProgress?: (batch: ScannedBatch) => void,
): Promise<TreeDigest & { readonly warnings: Counts; readonly bytesRead: number }> {
  const digester = treeDigester();
  let warnings: Counts = {};
  let bytesRead = 0;
  for await (const batch of scanVolume(options)) {
    for (const item of batch.items) {
      if (item.is === 'entry') digester.addEntry(item.entry);
      else digester.addSegment(item.hash);
    }
    warnings = sumCounts(warnings, batch.warnings);
    bytesRead += batch.bytesRead;
    onProgress?.(batch);
  }
  return { ...digester.finish(), warnings, bytesRead };
}

function isPacked(units: readonly Unit[], packAfter: ByteString | undefined): boolean {
  const first = units[0];
  const path = first?.entry?.path ?? first?.place?.path;
  if (packAfter === undefined || path === undefined) return false;
  return packAfter === '' || comparePaths(path, packAfter) > 0;
}

/** Groups units so that a job reads at most one segment's worth of bytes. */
function* batchesOf(entries: Iterable<FoundEntry>, options: ScanOptions): Generator<readonly Unit[]> {
  let units: Unit[] = [];
  let bytes = 0;
  for (const unit of unitsOf(entries, options)) {
    const length = unit.place === undefined ? 0 : segmentLength(unit.place.size, unit.place.segment);
    if (units.length > 0 && (units.length >= unitsPerJob || bytes + length > packLimitBytes)) {
      yield units;
      units = [];
      bytes = 0;
    }
    units.push(unit);
    bytes += length;
  }
  if (units.length > 0) yield units;
}

function* unitsOf(entries: Iterable<FoundEntry>, { onFound, known }: ScanOptions): Generator<Unit> {
  for (const found of entries) {
    onFound?.(found);
    const mine = known?.match(found);
    if (mine !== undefined) {
      yield { found, entry: undefined, place: undefined, known: mine };
      continue;
    }
    const { path, size } = found.entry;
    const segments = hasContent(found.entry) ? segmentCount(size) : 0;
    const { entry } = found;
    if (segments === 0) yield { found, entry, place: undefined };
    for (let segment = 0; segment < segments; segment++) {
      const place = { path, size, segment, sparse: found.sparse };
      yield segment === 0 ? { found, entry, place } : { found: undefined, entry: undefined, place };
    }
  }
}

function batchOf(units: readonly Unit[], answer: ScanAnswer, dropped: Set<ByteString>): ScannedBatch {
  const details = new Map(answer.details.map(([at, target, xattrs]) => [at, { target, xattrs }]));
  const gone = new Set(answer.gone);
  const items: ScannedItem[] = [];
  const itemOfUnit = new Map<number, number>();
  let hashAt = 0;
  // Counts the units that a worker was asked about.
  let at = -1;
  for (const { found, place, known } of units) {
    if (found !== undefined && known !== undefined) {
      items.push(entryItem(found, known.entry));
      for (const hash of known.segments) items.push({ is: 'segment', hash });
      continue;
    }
    at++;
    const entry = found === undefined ? undefined : withDetail(found.entry, details.get(at));
    if (entry !== undefined && (gone.has(at) || isDropped(entry, dropped))) dropped.add(entry.path);
    else if (found !== undefined && entry !== undefined) items.push(entryItem(found, entry));
    if (place === undefined) continue;
    const hash = Buffer.from(answer.hashes.subarray(hashAt, hashAt + hashBytes));
    hashAt += hashBytes;
    if (dropped.has(place.path)) continue;
    itemOfUnit.set(at, items.length);
    items.push({ is: 'segment', hash });
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

const entryItem = ({ sparse, inode, changedNs }: FoundEntry, entry: Entry): ScannedItem => ({
  is: 'entry',
  entry,
  sparse,
  inode,
  changedNs,
});

function sizeOf(units: readonly Unit[]): VolumeSize {
  let files = 0;
  let bytes = 0;
  for (const { found, place, known } of units) {
    if (found !== undefined) files++;
    if (known !== undefined) bytes += known.entry.size;
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
