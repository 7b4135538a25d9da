/**
 * What the destination volume holds before the copy: scanned once, written to a file in walk order, or taken from the last sync
 * when it is exactly what that left; read back beside the incoming entries, and searched by segment hash for content that moved.
 * Only hints are in memory.
 */
import type { Counts } from './contract.ts';
import { type Entry, type EntryType, entryTypes } from './entry.ts';
import type { KnownTree } from './known-tree.ts';
import { segmentBytes } from './layout.ts';
import type { CountProgress } from './phase-progress.ts';
import { openRecordReader } from './record-file.ts';
import type { SegmentPlace } from './scan-units.ts';
import { digestBatch, type ScanOptions, scanVolume } from './scan-volume.ts';
import { segmentTable } from './segment-table.ts';
import { sumCounts } from './settle.ts';
import { createSurveyor, entriesAtOnce, othersTurn, type Survey } from './survey.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import { writeBatch } from './tree-cache.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';
import { createTreeFile, openTreeCursor, segmentOffsets, segmentPlaceAt, type TreeSegment } from './tree-file.ts';
import { emptyFields, locateFields, type RecordRun, runBuilder } from './tree-record.ts';
import type { TreeSummary } from './tree-summary.ts';
import { openWalk } from './walk.ts';

export interface OwnIndex {
  readonly tree: TreeDigest;
  /** A tree file. */
  readonly file: string;
  /** Whether all of it was read for this index. */
  readonly basis: 'Read' | 'Known';
  /** Where the root was seen last, if the file doesn't say. */
  readonly root: TreeSummary['root'];
  /**
   * What the walk saw: told apart later from what others made of it. Of what is known the walk may still be under way; it rejects when
   * the volume is something else. Nothing may be concluded from this index before.
   */
  survey(): Promise<Survey>;
  readonly bytesRead: number;
  readonly warnings: Counts;
  /** The last path of what was read; '' when there is nothing but the root. */
  readonly lastPath: string;
  /** The next entry not taken yet. */
  peek(): Entry | undefined;
  take(): void;
  /**
   * Takes the next entries with their segments as they are recorded; undefined when so many are not there.
   * @param see is told of each before it is taken
   */
  takeRun(entries: number, see: SeeEntry): RecordRun | undefined;
  /** The next segment of the entry taken last; undefined after its last one. */
  takeSegment(): TreeSegment | undefined;
  /** Where this content lies, as the scan saw it; to be checked by reading. */
  find(hash: Uint8Array): SegmentPlace | undefined;
  close(): void;
}

/** @param whole makes all of it: that costs more than what else is done with it */
export type SeeEntry = (type: EntryType, path: ByteString, whole: () => Entry | undefined) => void;

export interface OwnIndexOptions extends ScanOptions {
  /** Where the index is kept; overwritten. */
  readonly file: string;
  /** What changed later than this is read again before anything is concluded from its change time. */
  readonly settledNs: bigint;
  readonly onProgress?: CountProgress;
}

/** Reads the volume. */
export async function buildOwnIndex(options: OwnIndexOptions): Promise<OwnIndex> {
  const { file, settledNs } = options;
  const digester = treeDigester();
  const surveyor = createSurveyor();
  const writer = createTreeFile(file);
  let lastPath = '';
  let bytesRead = 0;
  let warnings: Counts = {};
  for await (const batch of scanVolume({ ...options, onFound: surveyor.add })) {
    digestBatch(digester, batch);
    writeBatch(writer, batch, settledNs);
    lastPath = batch.items.findLast((item) => item.is === 'entry')?.entry.path ?? lastPath;
    bytesRead += batch.bytesRead;
    warnings = sumCounts(warnings, batch.warnings);
    options.onProgress?.(batch.size);
  }
  // A device's is asked for again after a restart: nothing else tells what others wrote to it.
  writer.close(options.kind === 'block' ? 'Durable' : 'Cached');
  const tree = digester.finish();
  const survey = surveyor.finish();
  const of = {
    file,
    tree,
    basis: 'Read',
    root: null,
    survey: async () => survey,
    bytesRead,
    warnings,
    lastPath,
  } as const;
  return { ...of, ...reader(file) };
}

export interface Recalled {
  readonly known: KnownTree;
  readonly file: string;
  readonly root: TreeSummary['root'];
  readonly tree: TreeDigest;
}

/**
 * Takes what is known at its word, and walks the volume meanwhile, reading nothing, to see whether it is exactly that.
 * @param differs makes what the walk then throws
 */
export function recallOwnIndex(
  volume: ByteString,
  { known, file, root, tree }: Recalled,
  { differs, ...use }: { readonly signal: AbortSignal; readonly syscalls: Syscalls; readonly differs: () => Error },
): OwnIndex {
  const walked = surveyKnown(volume, known, use).then((survey) => {
    if (survey === undefined) throw differs();
    return survey;
  });
  // Seen when it is asked for; until then it must not count as unhandled.
  walked.catch(() => undefined);
  const of = { file, tree, basis: 'Known', root, bytesRead: 0, warnings: {}, lastPath: '' } as const;
  return { ...of, survey: () => walked, ...reader(file) };
}

/** Undefined as soon as something is not as it is known. */
async function surveyKnown(
  volume: ByteString,
  known: KnownTree,
  { signal, syscalls }: { readonly signal: AbortSignal; readonly syscalls: Syscalls },
): Promise<Survey | undefined> {
  const surveyor = createSurveyor();
  const counts = { vanished: 0 };
  const walk = openWalk(volume, syscalls, counts);
  try {
    for (let met = 1; walk.next(); met++) {
      surveyor.addSeen(walk);
      if (!known.extendRun(walk) && known.meet(walk.found()).is !== 'Same') return undefined;
      if (met % entriesAtOnce !== 0) continue;
      known.takeRun();
      await othersTurn(signal);
    }
    return counts.vanished === 0 && known.isSame('Ended') ? surveyor.finish() : undefined;
  } finally {
    walk.close();
    known.close();
  }
}

function reader(file: string): Pick<OwnIndex, 'peek' | 'take' | 'takeRun' | 'takeSegment' | 'find' | 'close'> {
  const cursor = openTreeCursor(file);
  const finding = finder(file);
  let next: Entry | undefined;
  const fields = emptyFields();
  const run = runBuilder();
  return {
    peek() {
      next ??= cursor.peekEntry();
      return next;
    },
    take() {
      next = undefined;
      cursor.skipEntry();
    },
    takeRun(entries, see) {
      next = undefined;
      for (let taken = 0; taken < entries; taken++) {
        const record = cursor.peek();
        if (record === undefined) return undefined;
        locateFields(record.bytes, record.from, record.to, fields);
        const { type, path, mode, values } = fields;
        // In a run of records each file has its only segment.
        if (values.size > segmentBytes) return undefined;
        see(entryTypes[type] ?? 'hardlink', record.bytes.toString('latin1', path, mode), cursor.peekEntry);
        cursor.takeRecords(run, values.size);
      }
      return run.take();
    },
    takeSegment: () => (next === undefined ? cursor.nextSegment() : undefined),
    find: finding.find,
    close() {
      cursor.close();
      finding.close();
    },
  };
}

function finder(file: string) {
  const records = openRecordReader(file);
  let table: ReturnType<typeof segmentTable> | undefined;
  return {
    close: () => records.close(),
    find(hash: Uint8Array): SegmentPlace | undefined {
      table ??= tableOf(file);
      for (const offset of table.find(hash)) {
        const place = segmentPlaceAt(records, offset, hash);
        if (place !== undefined) return place;
      }
      return undefined;
    },
  };
}

/** Made when the first content is looked for: often none is. */
function tableOf(file: string): ReturnType<typeof segmentTable> {
  const table = segmentTable();
  for (const { hash, offset } of segmentOffsets(file)) table.add(hash, offset);
  return table;
}
