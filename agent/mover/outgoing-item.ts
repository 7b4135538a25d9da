/** What the source keeps of an item between its scan and its settling, and how a scan's batches become items. */
import { type Entry, hasContent } from './entry.ts';
import type { RecordAnswer, RecordJob, VolumeSize } from './job.ts';
import { segmentBytes, segmentLength } from './layout.ts';
import { fail } from './mover-error.ts';
import type { ScannedItem, ScannedRecords, ScannedRun } from './scan-volume.ts';
import type { ByteString } from './syscalls.ts';
import type { RecordRun } from './tree-record.ts';

export type OutgoingItem =
  | { readonly is: 'entry'; readonly entry: Entry; readonly sparse: boolean }
  | { readonly is: 'segment'; hash: Buffer; readonly file: FileState; readonly segment: number; coming: boolean }
  | SameRun
  | Bundle;

export type BundlePack = NonNullable<RecordAnswer['pack']>;

/** Plain entries that are new to the receiver, with their contents; one item. */
export interface Bundle {
  readonly is: 'bundle';
  run: RecordRun;
  /** Gone once it was sent: sent again, it is read again. */
  pack: BundlePack | undefined;
  readonly job: RecordJob;
}

interface FileState {
  readonly entry: Entry;
  readonly sparse: boolean;
  segments: number;
}

/** What the receiver has: entries that follow each other there, each with its segment if it has one. */
interface SameRun {
  readonly is: 'same';
  readonly path: ByteString;
  entries: number;
  bytes: number;
  /** How many items of the scan it stands for. */
  weight: number;
  readonly items: ScannedItem[];
}

/** What waits for the receiver. */
export function segmentBytesOf(item: OutgoingItem): number {
  if (item.is === 'bundle') return item.run.bytes;
  return item.is === 'segment' ? segmentLength(item.file.entry.size, item.segment) : 0;
}

/** What was scanned with it. */
export function sizeOf(item: OutgoingItem): VolumeSize {
  if (item.is === 'segment') return { files: 0, bytes: segmentBytesOf(item) };
  if (item.is === 'entry') return { files: 1, bytes: 0 };
  if (item.is === 'bundle') return { files: item.run.entries, bytes: item.run.bytes };
  return { files: item.entries, bytes: item.bytes };
}

export function weightOf(item: OutgoingItem): number {
  if (item.is === 'bundle') return item.run.records;
  return item.is === 'same' ? item.weight : 1;
}

export interface Itemizer {
  /** The items of a batch in order; `places`: for each of the batch's, which of them it is or is in. */
  itemsOf(batch: readonly ScannedItem[]): {
    readonly items: readonly OutgoingItem[];
    readonly places: readonly number[];
  };
}

export function createItemizer(): Itemizer {
  /** Its segments may come with the next batch. */
  let file: FileState | undefined;
  const itemOf = (scanned: Exclude<ScannedItem, ScannedRun>): OutgoingItem => {
    if (scanned.is === 'records') {
      file = undefined;
      return { is: 'bundle', run: scanned.run, pack: scanned.pack, job: scanned.job };
    }
    if (scanned.is === 'entry') {
      const { entry, sparse } = scanned;
      file = hasContent(entry) ? { entry, sparse, segments: 0 } : undefined;
      return { is: 'entry', entry, sparse };
    }
    const owner = file ?? fail('MoverFault', 'A segment without its file');
    return { is: 'segment', hash: scanned.hash, file: owner, segment: owner.segments++, coming: false };
  };
  return {
    itemsOf(batch) {
      const items: OutgoingItem[] = [];
      const places: number[] = [];
      let run: SameRun | undefined;
      for (const scanned of batch) {
        const before = run;
        run = continueRun(before, scanned);
        if (run !== undefined && scanned.is !== 'records') {
          if (run !== before) items.push(run);
          extend(run, scanned);
        } else if (scanned.is !== 'run') items.push(itemOf(scanned));
        places.push(items.length - 1);
      }
      return { items, places };
    },
  };
}

function extend(run: SameRun, scanned: Exclude<ScannedItem, ScannedRecords>): void {
  run.items.push(scanned);
  if (scanned.is === 'run') {
    run.entries += scanned.run.entries;
    run.bytes += scanned.run.bytes;
    run.weight += scanned.run.records;
    return;
  }
  run.weight++;
  if (scanned.is === 'segment') return;
  run.entries++;
  run.bytes += scanned.entry.size;
}

/** The run that this item belongs to: the one before, a new one, none. */
function continueRun(run: SameRun | undefined, item: ScannedItem): SameRun | undefined {
  if (item.is === 'segment') return run;
  if (item.is === 'records') return undefined;
  if (item.is === 'run') return continued(run, item.run.order, item.run.path);
  const { entry, same } = item;
  return same === undefined || !fitsRun(entry) ? undefined : continued(run, same, entry.path);
}

const continued = (run: SameRun | undefined, order: 'Next' | 'Later', path: ByteString): SameRun =>
  run !== undefined && order === 'Next' ? run : { is: 'same', path, entries: 0, bytes: 0, weight: 0, items: [] };

/** One unit of the scan, so that all of it is in one batch; a link may have to be made again, the root begins a volume. */
const fitsRun = ({ type, path, size }: Entry): boolean => type !== 'hardlink' && path !== '' && size <= segmentBytes;
