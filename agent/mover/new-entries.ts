/** A peer's records of plain entries: looked through before anything is made of them. */
import { StorkError } from '../../kube/errors.ts';
import { assertSafePath, type Entry, entryTypes } from './entry.ts';
import { segmentBytes } from './layout.ts';
import { fail } from './mover-error.ts';
import type { ByteString } from './syscalls.ts';
import {
  eachRecord,
  emptyFields,
  entryAt,
  entryTypeNumbers,
  locateFields,
  type RecordRun,
  recordTags,
} from './tree-record.ts';

export interface NewEntries {
  /** Of the first. */
  readonly path: ByteString;
  readonly directories: readonly Entry[];
}

const plainTypes: ReadonlySet<number> = new Set([
  entryTypeNumbers.directory,
  entryTypeNumbers.file,
  entryTypeNumbers.symlink,
]);

/**
 * Checks that they are plain, each file with its one segment, and as many as is said; `ProtocolError` otherwise.
 * @param see is told of each in order, and throws when it can't be there
 */
export function readNewEntries(run: RecordRun, see: (entry: Pick<Entry, 'path' | 'type'>) => void): NewEntries {
  const fields = emptyFields();
  const directories: Entry[] = [];
  const sum = { entries: 0, records: 0, bytes: 0 };
  let first: ByteString | undefined;
  let wantsSegment = false;
  const seeRecord = (piece: Buffer, from: number, to: number) => {
    sum.records++;
    const tag = piece[from];
    if (tag !== (wantsSegment ? recordTags.segment : recordTags.entry)) fail('ProtocolError', 'Entries are not plain');
    if (wantsSegment) {
      if (to - from < segmentRecordBytes) fail('ProtocolError', 'A segment is torn');
      wantsSegment = false;
      return;
    }
    locateFields(piece, from, to, fields);
    if (!plainTypes.has(fields.type)) fail('ProtocolError', 'Entries are not plain');
    const path = piece.toString('latin1', fields.path, fields.mode);
    assertSafePath(path);
    see({ path, type: entryTypes[fields.type] ?? 'file' });
    first ??= path;
    sum.entries++;
    sum.bytes += fields.values.size;
    if (fields.type === entryTypeNumbers.directory) directories.push(entryAt(piece, from, to));
    if (fields.values.size > (fields.type === entryTypeNumbers.file ? segmentBytes : 0))
      fail('ProtocolError', 'Entries are not plain');
    wantsSegment = fields.values.size > 0;
  };
  try {
    for (const piece of run.pieces) eachRecord(piece, (from, to) => seeRecord(piece, from, to));
  } catch (error) {
    // Of a tree file the same would be damage.
    if (error instanceof StorkError && error.code === 'CacheDamaged') fail('ProtocolError', error.message);
    throw error;
  }
  const isWhole = !wantsSegment && first !== undefined;
  if (!isWhole || sum.entries !== run.entries || sum.records !== run.records || sum.bytes !== run.bytes)
    fail('ProtocolError', 'A bundle is not what it says');
  return { path: first ?? '', directories };
}

/** Its tag and its hash, at least. */
const segmentRecordBytes = 33;
