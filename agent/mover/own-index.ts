/**
 * What the destination volume holds before the copy: scanned once, written to a file in walk order, read back beside the
 * incoming entries, and searched by segment hash for content that moved. Only hints are in memory.
 */
import { type ByteReader, byteReader, byteWriter } from './byte-codec.ts';
import { hashBytes } from './content-hash.ts';
import type { Counts } from './contract.ts';
import { type Entry, readEntry, writeEntry } from './entry.ts';
import type { CountProgress } from './phase-progress.ts';
import { createRecordWriter, openRecordCursor, openRecordReader, type RecordCursor } from './record-file.ts';
import type { SegmentPlace } from './scan-units.ts';
import { type ScanOptions, scanVolume } from './scan-volume.ts';
import { segmentTable } from './segment-table.ts';
import { sumCounts } from './settle.ts';
import { createSurveyor, type Survey } from './survey.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';

export interface OwnIndex {
  readonly tree: TreeDigest;
  /** What the walk saw: told apart later from what others made of it. */
  readonly survey: Survey;
  readonly bytesRead: number;
  readonly warnings: Counts;
  /** The last path of the walk; '' when there is nothing but the root. */
  readonly lastPath: string;
  /** The next entry not taken yet. */
  peek(): Entry | undefined;
  take(): void;
  /** The next segment hash of the entry taken last; undefined after its last one. */
  takeSegment(): Buffer | undefined;
  /** Where this content lies, as the scan saw it; to be checked by reading. */
  find(hash: Uint8Array): SegmentPlace | undefined;
  close(): void;
}

const recordTags = { entry: 0, segment: 1 } as const;

export type IndexRecord =
  | { readonly is: 'entry'; readonly entry: Entry; readonly inode: bigint; readonly changedNs: bigint }
  | { readonly is: 'segment'; readonly hash: Buffer };

function readIndexRecord(reader: ByteReader): IndexRecord {
  if (reader.byte() === recordTags.segment) return { is: 'segment', hash: Buffer.from(reader.raw(hashBytes)) };
  return { is: 'entry', entry: readEntry(reader), inode: reader.int64(), changedNs: reader.int64() };
}

/** The records of an index in walk order. */
export function openIndex(file: string): { next(): IndexRecord | undefined; close(): void } {
  const cursor = openRecordCursor(file);
  return {
    next() {
      const found = cursor.next();
      return found === undefined ? undefined : readIndexRecord(byteReader(found.record));
    },
    close: cursor.close,
  };
}

/** @param file where the index is kept; overwritten */
export async function buildOwnIndex(
  options: ScanOptions & { readonly file: string; readonly onProgress?: CountProgress },
): Promise<OwnIndex> {
  const table = segmentTable();
  const digester = treeDigester();
  const surveyor = createSurveyor();
  const records = createRecordWriter(options.file);
  const writer = byteWriter();
  let entryOffset = 0;
  let segment = 0;
  let lastPath = '';
  let bytesRead = 0;
  let warnings: Counts = {};
  for await (const batch of scanVolume({ ...options, onFound: surveyor.add })) {
    for (const item of batch.items) {
      if (item.is === 'entry') {
        digester.addEntry(item.entry);
        writer.byte(recordTags.entry);
        writeEntry(writer, item.entry);
        writer.int64(item.inode);
        writer.int64(item.changedNs);
        entryOffset = records.append(writer.take());
        segment = 0;
        lastPath = item.entry.path;
        continue;
      }
      digester.addSegment(item.hash);
      writer.byte(recordTags.segment);
      writer.raw(item.hash);
      writer.number(entryOffset);
      writer.number(segment++);
      table.add(item.hash, records.append(writer.take()));
    }
    bytesRead += batch.bytesRead;
    warnings = sumCounts(warnings, batch.warnings);
    options.onProgress?.(batch.size);
  }
  // A device's is asked for again after a restart: nothing else tells what others wrote to it.
  records.flush(options.kind === 'block' ? 'Durable' : 'Cached');
  records.close();
  const find = finder(options.file, table);
  return {
    tree: digester.finish(),
    survey: surveyor.finish(),
    bytesRead,
    warnings,
    lastPath,
    ...reader(openRecordCursor(options.file), find),
    find: find.find,
  };
}

function reader(
  cursor: RecordCursor,
  find: { close(): void },
): Pick<OwnIndex, 'peek' | 'take' | 'takeSegment' | 'close'> {
  let next = cursor.next()?.record;
  const step = () => {
    next = cursor.next()?.record;
  };
  return {
    peek() {
      while (next !== undefined && next[0] === recordTags.segment) step();
      if (next === undefined) return undefined;
      return readEntry(byteReader(next.subarray(1)));
    },
    take: step,
    takeSegment() {
      if (next === undefined || next[0] !== recordTags.segment) return undefined;
      const hash = Buffer.from(next.subarray(1, 1 + hashBytes));
      step();
      return hash;
    },
    close() {
      cursor.close();
      find.close();
    },
  };
}

function finder(file: string, table: ReturnType<typeof segmentTable>) {
  const records = openRecordReader(file);
  return {
    close: () => records.close(),
    find(hash: Uint8Array): SegmentPlace | undefined {
      for (const offset of table.find(hash)) {
        const record = byteReader(records.read(offset));
        record.byte();
        if (Buffer.compare(record.raw(hashBytes), hash) !== 0) continue;
        const owner = byteReader(records.read(record.number()));
        const segment = record.number();
        owner.byte();
        const { path, size } = readEntry(owner);
        return { path, size, segment, sparse: true };
      }
      return undefined;
    },
  };
}
