/**
 * The sender's side of one volume: scans it into a window of numbered items, keeps each until the receiver has settled it, and
 * folds the digest at that moment, so that a file that changed while it was copied counts as what was really sent.
 * Bounds: items, bytes and unsent packs in the window; the scan waits for room.
 */
import type { RunKey } from './content-hash.ts';
import type { Counts } from './contract.ts';
import { type Entry, hasContent } from './entry.ts';
import { blockStates, type PackAnswer } from './job.ts';
import { segmentBytes, segmentLength } from './layout.ts';
import type { DataMessage, WireItem } from './message.ts';
import { fail } from './mover-error.ts';
import type { Pulse } from './pulse.ts';
import type { Pushing, RememberedScan } from './remembered-scan.ts';
import type { SegmentPlace } from './scan-units.ts';
import { digestBatch, type ScannedBatch, type ScannedItem } from './scan-volume.ts';
import { sumCounts } from './settle.ts';
import type { ByteString } from './syscalls.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';
import type { VolumeKind } from './walk.ts';

export interface VolumeSpec {
  readonly name: string;
  readonly path: ByteString;
  readonly kind: VolumeKind;
}

export interface SourceVolume {
  readonly spec: VolumeSpec;
  readonly produced: number;
  readonly settled: number;
  /** The whole volume is scanned; `produced` is final. */
  readonly scanned: boolean;
  /** Scans until done; rejects when the volume can't be read. */
  scan(key: RunKey, pushing: Pushing, signal: AbortSignal): Promise<void>;
  /** The item as it is sent now. */
  itemAt(item: number): WireItem;
  /** The pack that follows this item when it is sent for the first time; gone afterwards. */
  takePack(item: number): DataMessage | undefined;
  placeOf(item: number): SegmentPlace;
  /** Notes what a segment really contained when it was sent. */
  noteSent(item: number, hash: Uint8Array, states: Uint8Array): void;
  noteRead(answer: Pick<PackAnswer, 'bytesRead' | 'warnings'>): void;
  settle(upTo: number): void;
  /** The digest of what was sent; once all is settled. */
  finish(): TreeDigest;
  /** The receiver has all of it: what the scan found is kept for the next sync. */
  remember(): void;
  /** What was not remembered by now is dropped. */
  close(): void;
  readonly counts: SourceCounts;
}

export interface SourceCounts {
  readonly files: number;
  readonly bytesScanned: number;
  readonly bytesRead: number;
  readonly blocksSent: number;
  readonly warnings: Counts;
}

const windowItems = 16_384;
const windowBytes = 256 * 1024 * 1024;
const windowPackBytes = 8 * 1024 * 1024;

interface FileState {
  readonly entry: Entry;
  readonly sparse: boolean;
  segments: number;
}

type Item =
  | { readonly is: 'entry'; readonly entry: Entry; readonly sparse: boolean }
  | { readonly is: 'segment'; hash: Buffer; readonly file: FileState; readonly segment: number; coming: boolean }
  | SameRun;

/** What the receiver has: entries that follow each other there, each with its segment if it has one. */
interface SameRun {
  readonly is: 'same';
  readonly path: ByteString;
  entries: number;
  readonly items: ScannedItem[];
}

/** @param changed beats whenever something here may let a waiting loop go on */
export function sourceVolume(spec: VolumeSpec, scan: RememberedScan, changed: Pulse): SourceVolume {
  const window = new Map<number, Item>();
  const packs = new Map<number, DataMessage>();
  const digester = treeDigester();
  const counts = { files: 0, bytesScanned: 0, bytesRead: 0, blocksSent: 0, warnings: {} as Counts };
  let file: FileState | undefined;
  let produced = 0;
  let settled = 0;
  let heldItems = 0;
  let heldBytes = 0;
  let heldPackBytes = 0;
  let scanned = false;
  let tree: TreeDigest | undefined;
  let sentAsScanned = true;

  const get = (item: number): Item =>
    window.get(item) ?? fail('ProtocolError', 'The peer names an item that is not open');
  const segmentBytesOf = (item: Item) =>
    item.is === 'segment' ? segmentLength(item.file.entry.size, item.segment) : 0;

  const append = (batch: ScannedBatch) => {
    /** By index in the batch. */
    const numbers: number[] = [];
    heldItems += batch.items.length;
    let run: SameRun | undefined;
    for (const scannedItem of batch.items) {
      run = continueRun(run, scannedItem);
      numbers.push(produced);
      if (run !== undefined) {
        if (run.items.length === 0) window.set(produced++, run);
        addToRun(run, scannedItem);
        continue;
      }
      const item = itemOf(scannedItem);
      heldBytes += segmentBytesOf(item);
      counts.bytesScanned += segmentBytesOf(item);
      window.set(produced++, item);
    }
    counts.warnings = sumCounts(counts.warnings, batch.warnings);
    counts.bytesRead += batch.bytesRead;
    const { pack } = batch;
    if (pack === undefined || pack.parts.length === 0) return;
    for (const part of pack.parts) {
      const item = window.get(numbers[part.at] ?? -1);
      if (item?.is === 'segment') item.coming = true;
    }
    const parts = pack.parts.map(({ at, ...part }) => ({
      item: numbers[at] ?? fail('MoverFault', 'A pack names an unknown item'),
      ...part,
    }));
    packs.set(produced - 1, { ...pack, parts, payloadLength: pack.payload.length });
    heldPackBytes += pack.payload.length;
  };
  const addToRun = (run: SameRun, item: ScannedItem) => {
    run.items.push(item);
    if (item.is === 'segment') return;
    run.entries++;
    counts.files++;
    counts.bytesScanned += item.entry.size;
  };
  const itemOf = (scannedItem: ScannedBatch['items'][number]): Item => {
    if (scannedItem.is === 'entry') {
      counts.files++;
      const { entry, sparse } = scannedItem;
      file = hasContent(entry) ? { entry, sparse, segments: 0 } : undefined;
      return { is: 'entry', entry, sparse };
    }
    const owner = file ?? fail('MoverFault', 'A segment without its file');
    return { is: 'segment', hash: scannedItem.hash, file: owner, segment: owner.segments++, coming: false };
  };
  const isFull = () => heldItems >= windowItems || heldBytes >= windowBytes || heldPackBytes >= windowPackBytes;

  return {
    spec,
    counts,
    get produced() {
      return produced;
    },
    get settled() {
      return settled;
    },
    get scanned() {
      return scanned;
    },
    async scan(key, pushing, signal) {
      for await (const batch of scan.batches(key, pushing, signal)) {
        append(batch);
        changed.beat();
        for (let seen = changed.count; isFull(); seen = changed.count) await changed.wait(seen, signal);
      }
      scanned = true;
      changed.beat();
    },
    itemAt(at) {
      const item = get(at);
      if (item.is === 'entry') return item;
      if (item.is === 'same') return { is: 'same', path: item.path, entries: item.entries };
      return { is: 'segment', hash: item.hash, coming: item.coming };
    },
    takePack(at) {
      const pack = packs.get(at);
      if (pack === undefined) return undefined;
      packs.delete(at);
      // Offered again on another stream, its content must be asked for.
      for (const part of pack.parts) {
        const item = window.get(part.item);
        if (item?.is === 'segment') item.coming = false;
      }
      heldPackBytes -= pack.payload.length;
      changed.beat();
      return pack;
    },
    placeOf(at) {
      const item = get(at);
      if (item.is !== 'segment')
        return fail('ProtocolError', 'The peer wants the content of something without content');
      return {
        path: item.file.entry.path,
        size: item.file.entry.size,
        segment: item.segment,
        sparse: item.file.sparse,
      };
    },
    noteSent(at, hash, states) {
      for (const state of states) if (state === blockStates.sent) counts.blocksSent++;
      const item = window.get(at);
      if (item?.is !== 'segment' || item.hash.equals(hash)) return;
      item.hash = Buffer.from(hash);
      sentAsScanned = false;
      counts.warnings = sumCounts(counts.warnings, { changed: 1 });
    },
    noteRead({ bytesRead, warnings }) {
      counts.bytesRead += bytesRead;
      counts.warnings = sumCounts(counts.warnings, warnings);
    },
    settle(upTo) {
      if (upTo > produced || upTo < settled) fail('ProtocolError', 'The peer settled what was never sent');
      for (; settled < upTo; settled++) {
        const item = get(settled);
        if (item.is === 'same') digestBatch(digester, item);
        else if (item.is === 'entry') digester.addEntry(item.entry);
        else digester.addSegment(item.hash);
        heldItems -= item.is === 'same' ? item.items.length : 1;
        heldBytes -= segmentBytesOf(item);
        window.delete(settled);
      }
      changed.beat();
    },
    finish() {
      tree ??= digester.finish();
      return tree;
    },
    remember: () => scan.keep(sentAsScanned && tree !== undefined ? tree : null),
    close: scan.drop,
  };
}

/** The run that this item belongs to: the one before, a new one, none. Its number stands when its first item is there. */
function continueRun(run: SameRun | undefined, item: ScannedItem): SameRun | undefined {
  if (item.is === 'segment') return run;
  const { entry, same } = item;
  if (same === undefined || !fitsRun(entry)) return undefined;
  return run !== undefined && same === 'Next' ? run : { is: 'same', path: entry.path, entries: 0, items: [] };
}

/** One unit of the scan, so that all of it is in one batch; a link may have to be made again, the root begins a volume. */
const fitsRun = ({ type, path, size }: Entry): boolean => type !== 'hardlink' && path !== '' && size <= segmentBytes;
