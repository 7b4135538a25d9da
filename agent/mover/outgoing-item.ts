/** What the source keeps of an item between its scan and its settling, and how a scan's batches become items. */
import { type Entry, hasContent } from './entry.ts';
import type { VolumeSize } from './job.ts';
import { segmentBytes, segmentLength } from './layout.ts';
import { fail } from './mover-error.ts';
import type { ScannedItem } from './scan-volume.ts';
import type { ByteString } from './syscalls.ts';

export type OutgoingItem =
  | { readonly is: 'entry'; readonly entry: Entry; readonly sparse: boolean }
  | { readonly is: 'segment'; hash: Buffer; readonly file: FileState; readonly segment: number; coming: boolean }
  | SameRun;

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
  readonly items: ScannedItem[];
}

export const segmentBytesOf = (item: OutgoingItem): number =>
  item.is === 'segment' ? segmentLength(item.file.entry.size, item.segment) : 0;

/** What was scanned with it. */
export function sizeOf(item: OutgoingItem): VolumeSize {
  if (item.is === 'segment') return { files: 0, bytes: segmentBytesOf(item) };
  if (item.is === 'entry') return { files: 1, bytes: 0 };
  return { files: item.entries, bytes: item.bytes };
}

/** How many items of the scan it stands for. */
export const weightOf = (item: OutgoingItem): number => (item.is === 'same' ? item.items.length : 1);

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
  const itemOf = (scanned: ScannedItem): OutgoingItem => {
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
        if (run === undefined) items.push(itemOf(scanned));
        else {
          if (run !== before) items.push(run);
          run.items.push(scanned);
          if (scanned.is === 'entry') {
            run.entries++;
            run.bytes += scanned.entry.size;
          }
        }
        places.push(items.length - 1);
      }
      return { items, places };
    },
  };
}

/** The run that this item belongs to: the one before, a new one, none. */
function continueRun(run: SameRun | undefined, item: ScannedItem): SameRun | undefined {
  if (item.is === 'segment') return run;
  const { entry, same } = item;
  if (same === undefined || !fitsRun(entry)) return undefined;
  return run !== undefined && same === 'Next' ? run : { is: 'same', path: entry.path, entries: 0, bytes: 0, items: [] };
}

/** One unit of the scan, so that all of it is in one batch; a link may have to be made again, the root begins a volume. */
const fitsRun = ({ type, path, size }: Entry): boolean => type !== 'hardlink' && path !== '' && size <= segmentBytes;
