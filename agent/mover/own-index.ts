/**
 * What the destination volume holds before the copy: scanned once, written to a file in walk order, or taken from the last sync
 * when it is exactly what that left; read back beside the incoming entries, and searched by segment hash for content that moved.
 * Only hints are in memory.
 */
import type { Counts } from './contract.ts';
import type { Entry } from './entry.ts';
import type { KnownTree } from './known-tree.ts';
import type { CountProgress } from './phase-progress.ts';
import { openRecordReader } from './record-file.ts';
import type { SegmentPlace } from './scan-units.ts';
import { digestBatch, type ScanOptions, scanVolume } from './scan-volume.ts';
import { segmentTable } from './segment-table.ts';
import { sumCounts } from './settle.ts';
import { createSurveyor, type Survey } from './survey.ts';
import type { ByteString } from './syscalls.ts';
import { writeBatch } from './tree-cache.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';
import { createTreeFile, openTreeCursor, segmentOffsets, segmentPlaceAt, type TreeSegment } from './tree-file.ts';
import type { TreeSummary } from './tree-summary.ts';
import { walkTree } from './walk.ts';

export interface OwnIndex {
  readonly tree: TreeDigest;
  /** A tree file. */
  readonly file: string;
  /** Whether all of it was read for this index. */
  readonly basis: 'Read' | 'Known';
  /** Where the root was seen last, if the file doesn't say. */
  readonly root: TreeSummary['root'];
  /** What the walk saw: told apart later from what others made of it. */
  readonly survey: Survey;
  readonly bytesRead: number;
  readonly warnings: Counts;
  /** The last path of the walk; '' when there is nothing but the root. */
  readonly lastPath: string;
  /** The next entry not taken yet. */
  peek(): Entry | undefined;
  take(): void;
  /** The next segment of the entry taken last; undefined after its last one. */
  takeSegment(): TreeSegment | undefined;
  /** Where this content lies, as the scan saw it; to be checked by reading. */
  find(hash: Uint8Array): SegmentPlace | undefined;
  close(): void;
}

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
  const of = {
    file,
    tree,
    basis: 'Read',
    root: null,
    survey: surveyor.finish(),
    bytesRead,
    warnings,
    lastPath,
  } as const;
  return { ...of, ...reader(file) };
}

const entriesAtOnce = 2048;

/** Walks the volume and reads nothing; undefined as soon as it is not exactly what is known. */
export async function recallOwnIndex(
  root: ByteString,
  { known, file, summary }: { readonly known: KnownTree; readonly file: string; readonly summary: TreeSummary },
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: CountProgress },
): Promise<OwnIndex | undefined> {
  const { tree } = summary;
  if (tree === null) return undefined;
  const surveyor = createSurveyor();
  const counts = { vanished: 0 };
  let lastPath = '';
  let met = 0;
  for (const found of walkTree(root, counts)) {
    surveyor.add(found);
    if (known.meet(found).is !== 'Same') return undefined;
    lastPath = found.entry.path;
    if (++met % entriesAtOnce !== 0) continue;
    onProgress({ files: entriesAtOnce, bytes: 0 });
    // So that others have their turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
  if (counts.vanished > 0 || !known.isSame('Ended')) return undefined;
  const survey = surveyor.finish();
  const of = { file, tree, basis: 'Known', root: summary.root, survey, bytesRead: 0, warnings: {}, lastPath } as const;
  return { ...of, ...reader(file) };
}

function reader(file: string): Pick<OwnIndex, 'peek' | 'take' | 'takeSegment' | 'find' | 'close'> {
  const cursor = openTreeCursor(file);
  const finding = finder(file);
  let next: Entry | undefined;
  let ended = false;
  return {
    peek() {
      if (next === undefined && !ended) {
        next = cursor.nextEntry()?.found.entry;
        ended = next === undefined;
      }
      return next;
    },
    take() {
      next = undefined;
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
