/**
 * The sender's side of one volume: scans it into a window of numbered items, keeps each until the receiver has settled it, and
 * folds the digest at that moment, so that a file that changed while it was copied counts as what was really sent.
 * Bounds: items, bytes and unsent packs in the window; the scan waits for room.
 */
import type { RunKey } from './content-hash.ts';
import type { Counts } from './contract.ts';
import { type Pack, type PackAnswer, type RecordAnswer, type RecordJob, sentBlocks } from './job.ts';
import type { DataMessage, WireItem } from './message.ts';
import { fail } from './mover-error.ts';
import {
  type Bundle,
  type BundlePack,
  createItemizer,
  type Itemizer,
  type OutgoingItem,
  segmentBytesOf,
  sizeOf,
  weightOf,
} from './outgoing-item.ts';
import type { Pulse } from './pulse.ts';
import type { Pushing, RememberedScan } from './remembered-scan.ts';
import { runOf } from './scan-records.ts';
import type { SegmentPlace } from './scan-units.ts';
import { digestBatch, type ScannedBatch } from './scan-volume.ts';
import { sumCounts } from './settle.ts';
import type { ByteString } from './syscalls.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';
import type { RecordRun } from './tree-record.ts';
import type { VolumeKind } from './walk.ts';

export interface VolumeSpec {
  readonly name: string;
  readonly path: ByteString;
  readonly kind: VolumeKind;
}

export interface SourceVolume extends SourceBundles {
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

/** The bundles among the items. */
interface SourceBundles {
  isBundle(item: number): boolean;
  /** A bundle that is sent for the first time; its contents are gone afterwards, and undefined is answered. */
  takeBundle(item: number): { readonly run: RecordRun; readonly pack: BundlePack } | undefined;
  /** What reads it once more. */
  bundleJob(item: number): RecordJob;
  /** Notes what it contains now that it is sent again. */
  replaceBundle(item: number, answer: RecordAnswer): RecordRun;
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

/** @param changed beats whenever something here may let a waiting loop go on */
export function sourceVolume(spec: VolumeSpec, scan: RememberedScan, changed: Pulse): SourceVolume {
  const window = new Map<number, OutgoingItem>();
  const packs = new Map<number, DataMessage>();
  const digester = treeDigester();
  const counts = { files: 0, bytesScanned: 0, bytesRead: 0, blocksSent: 0, warnings: {} as Counts };
  const itemizer = createItemizer();
  let produced = 0;
  let settled = 0;
  let heldItems = 0;
  let heldBytes = 0;
  let heldPackBytes = 0;
  let scanned = false;
  let tree: TreeDigest | undefined;
  let sentAsScanned = true;

  const get = (item: number): OutgoingItem =>
    window.get(item) ?? fail('ProtocolError', 'The peer names an item that is not open');

  const bundles = bundlesOf(get, {
    taken(pack) {
      heldPackBytes -= pack.payload.length;
      counts.blocksSent += pack.blocks;
      changed.beat();
    },
    readAgain(answer, outcome) {
      counts.blocksSent += answer.pack?.blocks ?? 0;
      if (outcome === 'Same') return;
      sentAsScanned = false;
      counts.warnings = sumCounts(counts.warnings, { changed: 1 });
    },
  });
  const append = (batch: ScannedBatch) => {
    const first = produced;
    const { items, places } = itemizer.itemsOf(batch.items);
    for (const item of items) {
      heldItems += weightOf(item);
      heldBytes += segmentBytesOf(item);
      window.set(produced++, item);
      const { files, bytes } = sizeOf(item);
      counts.files += files;
      counts.bytesScanned += bytes;
      if (item.is === 'bundle') heldPackBytes += item.pack?.payload.length ?? 0;
    }
    counts.warnings = sumCounts(counts.warnings, batch.warnings);
    counts.bytesRead += batch.bytesRead;
    const { pack } = batch;
    if (pack === undefined || pack.parts.length === 0) return;
    const parts = numbered(pack, { first, items, places });
    packs.set(produced - 1, { ...pack, parts, payloadLength: pack.payload.length });
    heldPackBytes += pack.payload.length;
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
      if (item.is === 'bundle') return fail('MoverFault', 'A bundle is no item of a list');
      return { is: 'segment', hash: item.hash, coming: item.coming };
    },
    ...bundles,
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
      counts.blocksSent += sentBlocks(states);
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
        else if (item.is === 'bundle') digester.addRun(item.run);
        else if (item.is === 'entry') digester.addEntry(item.entry);
        else digester.addSegment(item.hash);
        heldItems -= weightOf(item);
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

/** A pack's parts by the numbers of their items, which are marked as coming. */
function numbered(pack: Pack, { first, items, places }: ReturnType<Itemizer['itemsOf']> & { readonly first: number }) {
  return pack.parts.map(({ at, ...part }) => {
    const place = places[at] ?? fail('MoverFault', 'A pack names an unknown item');
    const item = items[place];
    if (item?.is === 'segment') item.coming = true;
    return { item: first + place, ...part };
  });
}

/** @param note hears of contents that are sent: for the first time, or read again and the same or not */
function bundlesOf(
  get: (item: number) => OutgoingItem,
  note: {
    readonly taken: (pack: BundlePack) => void;
    readonly readAgain: (answer: RecordAnswer, outcome: 'Same' | 'Changed') => void;
  },
): SourceBundles {
  const bundleAt = (at: number): Bundle => {
    const item = get(at);
    return item.is === 'bundle' ? item : fail('MoverFault', 'An item is no bundle');
  };
  return {
    isBundle: (at) => get(at).is === 'bundle',
    bundleJob: (at) => bundleAt(at).job,
    takeBundle(at) {
      const bundle = bundleAt(at);
      const { pack, run } = bundle;
      if (pack === undefined) return undefined;
      bundle.pack = undefined;
      note.taken(pack);
      return { run, pack };
    },
    replaceBundle(at, answer) {
      const bundle = bundleAt(at);
      const before = Buffer.concat(bundle.run.pieces);
      bundle.run = runOf(answer);
      note.readAgain(answer, before.equals(Buffer.concat(bundle.run.pieces)) ? 'Same' : 'Changed');
      return bundle.run;
    },
  };
}
