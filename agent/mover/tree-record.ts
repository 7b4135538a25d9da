/**
 * Records of a tree file as they lie in it, without making anything of them: where the fields of an entry are, whether it is what a
 * walk stands at, runs of whole records that are copied and folded into digests as they are.
 */
import { type ByteWriter, byteReader } from './byte-codec.ts';
import { type Entry, entryTypes, readEntry, slash } from './entry.ts';
import { segmentBytes } from './layout.ts';
import { fail } from './mover-error.ts';
import { fileTypes, isBefore, type RawStat } from './raw-stat.ts';
import type { ByteString } from './syscalls.ts';
import type { Walk } from './walk.ts';

export const recordTags = { entry: 0, segment: 1, summary: 2 } as const;
export const recordFlags = { settled: 1, sparse: 2 } as const;

/** Whole records, each after its length, in the order of the file; of an entry that has content also its only segment. */
export interface RecordRun {
  /** Pieces of memory that nobody writes to any more. */
  readonly pieces: readonly Buffer[];
  readonly entries: number;
  /** Entries and segments. */
  readonly records: number;
  /** Content of its files. */
  readonly bytes: number;
}

/** Where the fields of an entry's record begin; to be used again for the next one. */
export interface EntryFields {
  type: number;
  /** Of the path's length; then of the path itself, and what comes after it. */
  pathLength: number;
  path: number;
  mode: number;
  owner: number;
  mtime: number;
  size: number;
  attributes: number;
  end: number;
  values: { mode: number; uid: number; gid: number; size: number };
}

/** Of a record's length, which is before it. */
export const lengthBytes = 4;
const flagsAt = 1;
const inodeAt = 2;
const changedAt = 10;
const typeAt = 18;

export const entryTypeNumbers = {
  directory: entryTypes.indexOf('directory'),
  file: entryTypes.indexOf('file'),
  symlink: entryTypes.indexOf('symlink'),
  hardlink: entryTypes.indexOf('hardlink'),
};

export const emptyFields = (): EntryFields => ({
  type: 0,
  pathLength: 0,
  path: 0,
  mode: 0,
  owner: 0,
  mtime: 0,
  size: 0,
  attributes: 0,
  end: 0,
  values: { mode: 0, uid: 0, gid: 0, size: 0 },
});

/** Finds the fields of the record that lies at `[from, to)`; throws `CacheDamaged` when it is no entry. */
export function locateFields(bytes: Buffer, from: number, to: number, into: EntryFields): void {
  const { values } = into;
  into.type = byteAt(bytes, from + typeAt);
  into.pathLength = from + typeAt + 1;
  const length = numberAt(bytes, into.pathLength);
  into.path = afterNumber;
  into.mode = afterNumber + length;
  values.mode = numberAt(bytes, into.mode);
  into.owner = afterNumber;
  values.uid = numberAt(bytes, afterNumber);
  values.gid = numberAt(bytes, afterNumber);
  into.mtime = afterNumber;
  into.size = afterNumber + 8;
  values.size = numberAt(bytes, into.size);
  const target = numberAt(bytes, afterNumber);
  into.attributes = afterNumber + target + 8;
  into.end = to;
  // What lies beyond is read as nothing: then this isn't within the record.
  if (into.attributes >= to || into.type >= entryTypes.length) fail('CacheDamaged', 'A tree file holds a torn entry');
}

const byteAt = (bytes: Buffer, at: number): number => bytes[at] ?? 0;

/** Where the number ended that was read last: an object for each place costs more than the number. */
let afterNumber = 0;

function numberAt(bytes: Buffer, from: number): number {
  let value = 0;
  let scale = 1;
  for (let at = from; at < from + 8; at++) {
    const next = bytes[at] ?? 0;
    value += (next & 0x7f) * scale;
    afterNumber = at + 1;
    if (next < 0x80) return value;
    scale *= 0x80;
  }
  return fail('CacheDamaged', 'A tree file holds a number beyond 2^53');
}

export const int32At = (bytes: Buffer, at: number): number =>
  byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);

/** Of what changed later is not believed what was recorded; ns since 1970 in two halves. */
export interface Settled {
  readonly low: number;
  readonly high: number;
}

/**
 * Whether the entry recorded at `[from, to)` is what the walk stands at: the same comparison as `isSameStat`, of plain entries only
 * (files of one segment, directories, symlinks, without other names), and settled. False says nothing yet.
 */
export function isSameRecord(
  { bytes, from, to }: { readonly bytes: Buffer; readonly from: number; readonly to: number },
  fields: EntryFields,
  walk: Walk,
  settled: Settled | undefined,
): boolean {
  const { stat } = walk;
  const type = plainType(stat);
  if (type === undefined || byteAt(bytes, from + typeAt) !== type) return false;
  if (
    int32At(bytes, from + inodeAt) !== stat.inodeLow ||
    int32At(bytes, from + inodeAt + 4) !== stat.inodeHigh ||
    int32At(bytes, from + changedAt) !== stat.changedLow ||
    int32At(bytes, from + changedAt + 4) !== stat.changedHigh ||
    (byteAt(bytes, from + flagsAt) & recordFlags.settled) === 0
  )
    return false;
  if (settled !== undefined && !isBefore(stat.changedLow, stat.changedHigh, settled.low, settled.high)) return false;
  locateFields(bytes, from, to, fields);
  const { values } = fields;
  return (
    int32At(bytes, fields.mtime) === stat.mtimeLow &&
    int32At(bytes, fields.mtime + 4) === stat.mtimeHigh &&
    values.size === (type === entryTypeNumbers.file ? stat.sizeBytes : 0) &&
    values.mode === (stat.mode & 0o7777) &&
    values.uid === stat.uid &&
    values.gid === stat.gid &&
    isPathAt(bytes, fields.path, fields.mode, walk)
  );
}

/** Index into `entryTypes` of a plain entry: a file of one segment, a directory, a symlink, without other names. */
export function plainType({ mode, nlink, sizeBytes }: RawStat): number | undefined {
  const type = mode & fileTypes.mask;
  if (type === fileTypes.directory) return entryTypeNumbers.directory;
  if (nlink !== 1) return undefined;
  if (type === fileTypes.file && sizeBytes <= segmentBytes) return entryTypeNumbers.file;
  return type === fileTypes.symlink ? entryTypeNumbers.symlink : undefined;
}

function isPathAt(bytes: Buffer, from: number, to: number, { directory, name }: Walk): boolean {
  const within = directory.length === 0 ? 0 : directory.length + 1;
  if (to - from !== within + name.length || name.length === 0) return false;
  if (!isTextAt(bytes, from + within, name)) return false;
  return within === 0 || (bytes[from + within - 1] === slash && isTextAt(bytes, from, directory));
}

function isTextAt(bytes: Buffer, from: number, text: ByteString): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[from + at] !== text.charCodeAt(at)) return false;
  return true;
}

export interface RunBuilder {
  readonly records: number;
  /** The record at `[from, to)`, of an entry or a segment of the one before. */
  add(bytes: Buffer, from: number, to: number, kind: 'entry' | 'segment', contentBytes: number): void;
  /** What was added since the last time; undefined when nothing was. */
  take(): RecordRun | undefined;
}

export function runBuilder(): RunBuilder {
  let pieces: Buffer[] = [];
  let [piece, begin, end] = [undefined as Buffer | undefined, 0, 0];
  let [entries, records, bytesOfContent] = [0, 0, 0];
  const close = () => {
    if (piece !== undefined) pieces.push(piece.subarray(begin, end));
    piece = undefined;
  };
  return {
    get records() {
      return records;
    },
    add(bytes, from, to, kind, contentBytes) {
      if (piece !== bytes || end !== from - lengthBytes) {
        close();
        piece = bytes;
        begin = from - lengthBytes;
      }
      end = to;
      records++;
      if (kind === 'entry') entries++;
      bytesOfContent += contentBytes;
    },
    take() {
      if (records === 0) return undefined;
      close();
      const run = { pieces, entries, records, bytes: bytesOfContent };
      pieces = [];
      entries = records = bytesOfContent = 0;
      return run;
    },
  };
}

/** Calls back for each record of a piece with where it lies. */
export function eachRecord(piece: Buffer, see: (from: number, to: number) => void): void {
  for (let at = 0; at < piece.length; ) {
    const from = at + lengthBytes;
    at = from + int32At(piece, at);
    if (at > piece.length || at <= from) fail('CacheDamaged', 'A run of records is torn');
    see(from, at);
  }
}

/** @param of `entryBytesBack`: from its record to its entry's, so that a run of records is the same wherever it lies */
export function writeSegment(
  writer: ByteWriter,
  of: {
    readonly hash: Uint8Array;
    readonly entryBytesBack: number;
    readonly segment: number;
    readonly tags: Uint8Array;
  },
): void {
  writer.byte(recordTags.segment);
  writer.raw(of.hash);
  writer.number(of.entryBytesBack);
  writer.number(of.segment);
  writer.bytes(of.tags);
}

const entryReader = byteReader(Buffer.alloc(0));

/** The entry recorded at `[from, to)`; throws `ProtocolError` when it is none. */
export function entryAt(bytes: Buffer, from: number, to: number): Entry {
  entryReader.reset(bytes.subarray(from + typeAt, to));
  const entry = readEntry(entryReader);
  return entryReader.done ? entry : fail('ProtocolError', 'An entry is longer than its values');
}
