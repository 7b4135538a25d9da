/**
 * A volume's tree as a file: entries in walk order as the walk saw them (with inode and change time), each followed by its
 * segments' hashes, of larger segments also by their blocks' tags. Written while a volume is scanned, read back in order or by offset.
 * A sealed one ends with a summary and a checksum: when it was cut short or altered it is as good as none.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { byteReader, byteWriter } from './byte-codec.ts';
import { hashBytes, segmentTagsBytes } from './content-hash.ts';
import { type Entry, readEntry, writeEntry } from './entry.ts';
import { segmentBytes } from './layout.ts';
import { fail } from './mover-error.ts';
import {
  createRecordWriter,
  openRecordCursor,
  openRecordReader,
  openRecordScanner,
  type RecordScanner,
} from './record-file.ts';
import type { SegmentPlace } from './scan-units.ts';
import { entryAt, type RecordRun, type RunBuilder, recordFlags, recordTags, writeSegment } from './tree-record.ts';
import { parseTreeSummary, type TreeSummary } from './tree-summary.ts';
import type { FoundEntry } from './walk.ts';

export interface TreeRecord {
  readonly found: FoundEntry;
  /** Whether a later change is sure to show in its change time; else it must be read again. */
  readonly settled: boolean;
  /** Just this as a file has it already. */
  readonly encoded?: Uint8Array | undefined;
}

export interface TreeSegment {
  readonly hash: Buffer;
  /** Of its blocks, then of chunks of them, where they were wanted. */
  readonly tags: Buffer | undefined;
}

export interface TreeFileWriter {
  addEntry(record: TreeRecord): void;
  /** Entries with their segments as another file has them. */
  addRun(run: RecordRun): void;
  /** Of the entry added last. Returns the offset to find it by. */
  addSegment(hash: Uint8Array, tags: Uint8Array | undefined): number;
  readonly bytes: number;
  /** Completes and closes the file. */
  seal(summary: TreeSummary): void;
  /** Leaves it without a summary: for the process that wrote it, or, when durable, for the next one too. */
  close(durability: 'Cached' | 'Durable'): void;
}

export interface TreeFileCursor {
  /** The next entry; segments of the one before are passed over. */
  nextEntry(): TreeRecord | undefined;
  /** The next segment of the entry answered last. */
  nextSegment(): TreeSegment | undefined;
  /** Looks at the record of the next entry where it lies, passing over segments of the one before; undefined after the last. */
  peek(): RecordScanner | undefined;
  /** The same, decoded; and without taking it. */
  peekEntry(): Entry | undefined;
  /** Takes the entry that was looked at. */
  skipEntry(): void;
  /** Takes the entry that was looked at, and the segment that a file with content has, as they are. */
  takeRecords(into: RunBuilder, contentBytes: number): void;
  close(): void;
}

const trailerBytes = 8 + 32;

export function createTreeFile(path: string): TreeFileWriter {
  const sum = createHash('sha256');
  const records = createRecordWriter(path, 0, (bytes) => void sum.update(bytes));
  const writer = byteWriter();
  let entryOffset = 0;
  let segment = 0;
  return {
    addEntry({ found, settled, encoded }) {
      segment = 0;
      if (encoded !== undefined) {
        entryOffset = records.append(encoded);
        return;
      }
      writer.byte(recordTags.entry);
      writer.byte((settled ? recordFlags.settled : 0) | (found.sparse ? recordFlags.sparse : 0));
      writer.int64(found.inode);
      writer.int64(found.changedNs);
      writeEntry(writer, found.entry);
      entryOffset = records.append(writer.take());
    },
    addRun({ pieces }) {
      for (const piece of pieces) records.appendRaw(piece);
    },
    addSegment(hash, ofBlocks) {
      const entryBytesBack = records.bytes - entryOffset;
      writeSegment(writer, { hash, entryBytesBack, segment: segment++, tags: ofBlocks ?? noBytes });
      return records.append(writer.take());
    },
    get bytes() {
      return records.bytes;
    },
    seal(summary) {
      const offset = records.append(encodeSummary(summary));
      records.flush('Cached');
      const trailer = Buffer.alloc(trailerBytes);
      trailer.writeBigUInt64LE(BigInt(offset), 0);
      sum.copy().update(trailer.subarray(0, 8)).digest().copy(trailer, 8);
      records.appendRaw(trailer);
      records.flush('Cached');
      records.close();
    },
    close(durability) {
      records.flush(durability);
      records.close();
    },
  };
}

const noBytes = new Uint8Array(0);

function encodeSummary(summary: TreeSummary): Uint8Array {
  const writer = byteWriter();
  writer.byte(recordTags.summary);
  writer.raw(Buffer.from(JSON.stringify(summary)));
  return writer.take();
}

/** Gives an unsealed file a summary. */
export function sealTreeFile(path: string, summary: TreeSummary): void {
  const length = sizeOf(path);
  const records = createRecordWriter(path, length);
  const offset = records.append(encodeSummary(summary));
  records.flush('Cached');
  const trailer = Buffer.alloc(trailerBytes);
  trailer.writeBigUInt64LE(BigInt(offset), 0);
  checksumOf(path, records.bytes, trailer.subarray(0, 8)).copy(trailer, 8);
  records.appendRaw(trailer);
  records.flush('Cached');
  records.close();
}

/** What a whole file says of itself; undefined when there is none, or it is not whole. */
export function readTreeSummary(path: string): TreeSummary | undefined {
  try {
    return verifiedSummary(path);
  } catch {
    // Whatever is wrong with it: everything in it can be had from the volume.
    return undefined;
  }
}

function verifiedSummary(path: string): TreeSummary {
  const end = sizeOf(path) - trailerBytes;
  if (end < 0) fail('CacheDamaged', 'A tree file is cut short', path);
  const trailer = readTrailer(path, end);
  if (!checksumOf(path, end, trailer.subarray(0, 8)).equals(trailer.subarray(8)))
    fail('CacheDamaged', 'A tree file fails its checksum', path);
  const records = openRecordReader(path);
  try {
    const record = records.read(Number(trailer.readBigUInt64LE(0)));
    if (record[0] !== recordTags.summary) fail('CacheDamaged', 'A tree file has no summary', path);
    return parseTreeSummary(record.subarray(1));
  } finally {
    records.close();
  }
}

function sizeOf(path: string): number {
  const fd = openSync(path, 'r');
  try {
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}

function readTrailer(path: string, at: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const trailer = Buffer.alloc(trailerBytes);
    if (readSync(fd, trailer, 0, trailerBytes, at) < trailerBytes)
      fail('CacheDamaged', 'A tree file is cut short', path);
    return trailer;
  } finally {
    closeSync(fd);
  }
}

const chunkBytes = 1024 * 1024;

/** Over the first `length` bytes of the file and what follows them. */
function checksumOf(path: string, length: number, rest: Uint8Array): Buffer {
  const sum = createHash('sha256');
  const fd = openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(1, length)));
    for (let at = 0; at < length; ) {
      const got = readSync(fd, chunk, 0, Math.min(chunk.length, length - at), at);
      if (got === 0) fail('CacheDamaged', 'A tree file is cut short', path);
      sum.update(chunk.subarray(0, got));
      at += got;
    }
  } finally {
    closeSync(fd);
  }
  return sum.update(rest).digest();
}

/** Of a sealed file, and of an unsealed one. */
export function openTreeCursor(path: string): TreeFileCursor {
  const records = openRecordScanner(path);
  const reader = byteReader(Buffer.alloc(0));
  let tag: number | undefined;
  const step = () => {
    tag = records.advance() ? records.bytes[records.from] : undefined;
    // What follows a summary is no record.
    if (tag === recordTags.summary) tag = undefined;
  };
  const toEntry = (): boolean => {
    while (tag === recordTags.segment) step();
    return tag === recordTags.entry;
  };
  const record = () => records.bytes.subarray(records.from, records.to);
  step();
  const decode = (): TreeRecord => {
    const encoded = record();
    reader.reset(encoded);
    reader.byte();
    const flags = reader.byte();
    const inode = reader.int64();
    const changedNs = reader.int64();
    const entry = readEntry(reader);
    const found = { entry, inode, changedNs, sparse: (flags & recordFlags.sparse) !== 0 };
    return { found, settled: (flags & recordFlags.settled) !== 0, encoded };
  };
  return {
    nextEntry() {
      if (!toEntry()) return undefined;
      const decoded = decode();
      step();
      return decoded;
    },
    peekEntry: () => (toEntry() ? decode().found.entry : undefined),
    skipEntry: () => void (toEntry() && step()),
    nextSegment() {
      if (tag !== recordTags.segment) return undefined;
      reader.reset(record());
      reader.byte();
      // A view: what a cursor has read it never writes over.
      const hash = reader.raw(hashBytes);
      reader.number();
      reader.number();
      const length = reader.number();
      if (length > segmentTagsBytes(segmentBytes)) fail('CacheDamaged', 'A tree file has too many tags', path);
      const ofBlocks = length === 0 ? undefined : Buffer.from(reader.raw(length));
      step();
      return { hash, tags: ofBlocks };
    },
    peek: () => (toEntry() ? records : undefined),
    takeRecords(into, contentBytes) {
      into.add(records.bytes, records.from, records.to, 'entry', contentBytes);
      step();
      if (contentBytes === 0) return;
      if (tag !== recordTags.segment) fail('CacheDamaged', 'A tree file lacks a segment', path);
      into.add(records.bytes, records.from, records.to, 'segment', 0);
      step();
    },
    close: () => records.close(),
  };
}

/** Each segment with the offset to find it by. */
export function* segmentOffsets(path: string): Generator<{ readonly hash: Uint8Array; readonly offset: number }> {
  const cursor = openRecordCursor(path);
  try {
    for (let next = cursor.next(); next !== undefined && next.record[0] !== recordTags.summary; next = cursor.next())
      if (next.record[0] === recordTags.segment)
        yield { hash: next.record.subarray(1, 1 + hashBytes), offset: next.offset };
  } finally {
    cursor.close();
  }
}

/** Where the content with this hash lies, if the segment at the offset has it. */
export function segmentPlaceAt(
  records: ReturnType<typeof openRecordReader>,
  offset: number,
  hash: Uint8Array,
): SegmentPlace | undefined {
  const record = byteReader(records.read(offset));
  record.byte();
  if (Buffer.compare(record.raw(hashBytes), hash) !== 0) return undefined;
  const entry = records.read(offset - record.number());
  const { path, size } = entryAt(entry, 0, entry.length);
  return { path, size, segment: record.number(), sparse: true };
}
