/**
 * Reads plain entries and makes records of them as a tree file has them, with their contents as a pack; in a worker thread. So the
 * main thread handles a few hundred entries as one piece of memory.
 */
import { type ByteWriter, byteWriter } from './byte-codec.ts';
import { segmentTags } from './content-hash.ts';
import { entryTypes, writeXattrs } from './entry.ts';
import { type RecordAnswer, type RecordJob, sentBlocks } from './job.ts';
import { taggedBytes } from './layout.ts';
import { writeStates } from './message.ts';
import { ownCopy, packer } from './pack-codec.ts';
import { type PlainUnits, sparseFlag, statAt, statWords } from './plain-units.ts';
import { isBefore } from './raw-stat.ts';
import { counter, detailOf } from './read-metadata.ts';
import type { Hashing, SegmentReader } from './segment-reader.ts';
import type { ByteString, Syscalls, Xattr } from './syscalls.ts';
import { entryTypeNumbers, lengthBytes, recordFlags, recordTags, writeSegment } from './tree-record.ts';
import { withinVolume } from './within-volume.ts';

interface RecordTools {
  readonly reader: SegmentReader;
  readonly syscalls: Syscalls;
  /** Where contents are gathered. */
  readonly scratch: Buffer;
}

/** So that a bundle fits a frame, whatever names and attributes are in it. */
const recordsTargetBytes = 256 * 1024;

export function makeRecords(
  job: RecordJob,
  hashing: Hashing,
  { reader, syscalls, scratch }: RecordTools,
): RecordAnswer {
  const { root, units } = job;
  const records = byteWriter(32 * 1024);
  const states = byteWriter(1024);
  const warnings = counter();
  const packing = job.pack ? packer(scratch, job.key) : undefined;
  const sum = { entries: 0, records: 0, bytes: 0, bytesRead: 0 };
  if (job.fromStorage) reader.fetchFromStorage(root, placesOf(job));
  using volume = withinVolume(root);
  let at = job.from;
  let blocks = 0;
  for (; at < job.to && (job.isWhole || records.length < recordsTargetBytes); at++) {
    const path = units.paths[at] ?? '';
    const size = units.sizes[at] ?? 0;
    const type = typeAt(units, at);
    const begin = records.length;
    if (type === entryTypeNumbers.file && size > 0) {
      const segment = reader.read(root, placeAt(units, at), hashing, { xattrs: true });
      sum.bytesRead += segment.bytesRead;
      if (segment.warning !== undefined) warnings.add(segment.warning);
      if (segment.warning === 'vanished') continue;
      writeEntryRecord(records, job, at, { target: '', xattrs: segment.xattrs ?? none });
      const isTagged = job.tags && segment.bytes.length > taggedBytes;
      const tags = isTagged ? segmentTags(job.key, segment.bytes, undefined) : noBytes;
      writeSegmentRecord(records, begin, segment.hash, tags);
      packing?.add(at, segment, undefined);
      sum.records++;
      sum.bytes += size;
    } else {
      const detail = detailOf(volume, { path, type: entryTypes[type] ?? 'file' }, syscalls);
      if (detail === 'gone') warnings.add('vanished');
      // A directory stays, so that what the walk found below it has a parent.
      if (detail === 'gone' && type !== entryTypeNumbers.directory) continue;
      writeEntryRecord(records, job, at, detail === 'gone' || detail === undefined ? plain : detail);
    }
    sum.entries++;
    sum.records++;
  }
  const packed = packing?.finish();
  for (const part of packed?.parts ?? []) {
    writeStates(states, part.states);
    blocks += sentBlocks(part.states);
  }
  const pack = packed && {
    payload: packed.payload,
    compressed: packed.compressed,
    rawLength: packed.rawLength,
    states: ownCopy(states.view()),
    blocks,
  };
  return { ...sum, pack, done: at, warnings: warnings.counts, encoded: ownCopy(records.view()) };
}

const none: readonly Xattr[] = [];
const plain = { target: '', xattrs: none } as const;
const noBytes = new Uint8Array(0);

const typeAt = ({ stats }: PlainUnits, at: number): number => (stats[at * statWords + statAt.type] ?? 0) & ~sparseFlag;

function placeAt({ paths, stats, sizes }: PlainUnits, at: number) {
  const sparse = ((stats[at * statWords + statAt.type] ?? 0) & sparseFlag) !== 0;
  return { path: paths[at] ?? '', size: sizes[at] ?? 0, segment: 0, sparse };
}

const placesOf = ({ units, from, to }: RecordJob) =>
  units.paths.flatMap((_, at) => (at >= from && at < to && (units.sizes[at] ?? 0) > 0 ? [placeAt(units, at)] : []));

/** The same bytes as `createTreeFile` writes of an entry, after their length. */
function writeEntryRecord(
  writer: ByteWriter,
  { units, settled }: RecordJob,
  unit: number,
  { target, xattrs }: { readonly target: ByteString; readonly xattrs: readonly Xattr[] },
): void {
  const { paths, stats, sizes } = units;
  const word = (place: number): number => stats[unit * statWords + place] ?? 0;
  const begin = writer.length;
  const isSettled =
    settled === undefined || isBefore(word(statAt.changedLow), word(statAt.changedHigh), settled.low, settled.high);
  const isSparse = (word(statAt.type) & sparseFlag) !== 0;
  writer.int32(0);
  writer.byte(recordTags.entry);
  writer.byte((isSettled ? recordFlags.settled : 0) | (isSparse ? recordFlags.sparse : 0));
  writer.halves(word(statAt.inodeLow), word(statAt.inodeHigh));
  writer.halves(word(statAt.changedLow), word(statAt.changedHigh));
  writer.byte(typeAt(units, unit));
  writer.text(paths[unit] ?? '');
  writer.number(word(statAt.mode));
  writer.number(word(statAt.uid) >>> 0);
  writer.number(word(statAt.gid) >>> 0);
  writer.halves(word(statAt.mtimeLow), word(statAt.mtimeHigh));
  writer.number(sizes[unit] ?? 0);
  writer.text(target);
  writer.halves(0, 0);
  writeXattrs(writer, xattrs);
  writer.patch32(begin, writer.length - begin - lengthBytes);
}

function writeSegmentRecord(writer: ByteWriter, entryAt: number, hash: Uint8Array, tags: Uint8Array): void {
  const begin = writer.length;
  writer.int32(0);
  writeSegment(writer, { hash, entryBytesBack: begin - entryAt, segment: 0, tags });
  writer.patch32(begin, writer.length - begin - lengthBytes);
}
