/**
 * The receiver's side of one volume: takes the sender's items in order, decides for each segment whether it has it, keeps content,
 * settles items in order. What it holds in memory is the sender's window, no more.
 * Content is looked up in this very volume only: nothing is ever answered from another volume.
 */
import type { BundleMessage } from './bundle-message.ts';
import { type RunKey, zeroSegmentHashes } from './content-hash.ts';
import type { VolumeReady } from './control-message.ts';
import { hasContent } from './entry.ts';
import {
  type IncomingBundle,
  type IncomingFile,
  type IncomingItem,
  type IncomingSegment,
  lengthOf,
  ownBlocksOf,
  targetOf,
  wantOf,
  zeroStates,
} from './incoming-item.ts';
import { sentBlocks, type WorkerPool } from './job.ts';
import { segmentCount } from './layout.ts';
import type { DataMessage, Want, WireItem } from './message.ts';
import { fail } from './mover-error.ts';
import type { OwnIndex } from './own-index.ts';
import { createOwnJoin } from './own-join.ts';
import { createBackground, type Pulse } from './pulse.ts';
import { createSegmentKeeper } from './segment-keeper.ts';
import { createSettler } from './settler.ts';
import type { ByteString } from './syscalls.ts';
import { isSameTree, type TreeDigest } from './tree-digest.ts';
import type { TreeSegment } from './tree-file.ts';
import type { VolumeSink } from './volume-sink.ts';

export interface DestinationVolume {
  readonly received: number;
  readonly settled: number;
  /** Next items in order; resolves when there is room for more. */
  arrive(first: number, items: readonly WireItem[]): Promise<void>;
  /** The next item, a bundle of new entries; resolves when there is room for more. */
  arriveBundle(bundle: BundleMessage): Promise<void>;
  /** Content that was asked for or pushed; resolves when there is room for more. */
  take(message: DataMessage): Promise<void>;
  /** What to ask the sender for, at most `limit`; each want is given out once. */
  takeWants(limit: number): readonly Want[];
  /** After a broken stream: asks again for all that was asked and not answered. */
  askAgain(): void;
  /** The sender has no more items: removes what it doesn't have, waits for what is in flight, checks the digest. */
  finish(items: number, tree: TreeDigest): Promise<void>;
  /** Throws what failed in the background. */
  check(): void;
  /** Nothing runs in the background any more. */
  idle(): Promise<void>;
  readonly counts: DestinationCounts;
}

export interface DestinationCounts {
  /** Settled; `bytesRead`: for comparing and copying within the volume. */
  readonly files: number;
  readonly bytes: number;
  readonly bytesRead: number;
  /** Blocks that the sender sent. */
  readonly blocks: number;
}

export interface DestinationVolumeOptions {
  readonly root: ByteString;
  readonly own: OwnIndex;
  readonly sink: VolumeSink;
  readonly pool: WorkerPool;
  readonly key: RunKey;
  readonly changed: Pulse;
  /** What the sender was told: what we hold, so that what comes by itself may leave out our blocks; after what we want everything. */
  readonly told: Pick<VolumeReady, 'base' | 'pushAfter'>;
}

const tasksPerWorker = 4;
/** Packs of up to 4 MiB each that are being verified and written. */
const packsPerWorker = 1;

export function destinationVolume(options: DestinationVolumeOptions): DestinationVolume {
  const { own, sink, pool, changed, told } = options;
  const counts = { files: 0, bytes: 0, blocks: 0, bytesRead: 0 };
  const background = createBackground(pool.workers * tasksPerWorker, changed);
  const content = createBackground(pool.workers * packsPerWorker + 1, changed);
  const settler = createSettler(sink);
  const join = createOwnJoin(own, (path) => {
    sink.remove(path);
    settler.noteRemoved(path);
  });
  const ledger = itemLedger(async (item) => {
    await settler.settle(item);
    if (item.is === 'segment') counts.bytes += lengthOf(item);
    else if (item.is === 'entry') counts.files++;
    else {
      counts.files += item.run.entries;
      counts.bytes += item.run.bytes;
    }
  });
  const settleReady = () => background.inOrder(ledger.settleReady);
  const wants: Want[] = [];
  const want = (number: number, item: IncomingSegment) => void wants.push(wantOf(number, item, sink.isCounting));
  const keeper = createSegmentKeeper({ ...options, counts, settleReady, want });
  const arriveSegment = segmentArrival(options, { ledger, background, keeper, takeSegment: join.takeSegment });
  let file: IncomingFile | undefined;
  const check = () => {
    background.check();
    content.check();
  };
  const idle = async () => {
    await content.idle();
    await background.idle();
  };

  return {
    get received() {
      return ledger.received;
    },
    get settled() {
      return ledger.settled;
    },
    counts,
    check,
    idle,
    async arrive(first, items) {
      if (first !== ledger.received) fail('ProtocolError', 'Items arrive out of order');
      for (const item of items) {
        if (item.is === 'segment') {
          await arriveSegment(file ?? fail('ProtocolError', 'A segment that no file has'), item);
          continue;
        }
        if (item.is === 'same') {
          if (told.base === null) fail('ProtocolError', 'A run of entries from who does not know what we have');
          ledger.add({ is: 'same', ...join.joinSame(item.path, item.entries) });
          file = undefined;
          continue;
        }
        const { entry } = item;
        const mine = join.join(entry);
        if (entry.type === 'directory' && mine === undefined) sink.makeDirectory(entry.path);
        ledger.add({ is: 'entry', entry, own: mine });
        const segments = hasContent(entry) ? segmentCount(entry.size) : 0;
        file = segments === 0 ? undefined : { entry, own: mine, segments, arrived: 0, wrote: false };
      }
      settleReady();
      changed.beat();
    },
    async arriveBundle({ item: number, run, pack }) {
      if (told.pushAfter === null) fail('ProtocolError', 'A bundle of new entries that nobody asked for');
      if (number !== ledger.received) fail('ProtocolError', 'Items arrive out of order');
      const found = join.joinNew(run);
      for (const { path } of found.directories) sink.makeDirectory(path);
      const item: IncomingBundle = { is: 'bundle', run, ...found, state: 'working' };
      ledger.add(item);
      file = undefined;
      await content.start(async () => {
        const blocks = await sink.fill({ encoded: run.pieces[0] ?? new Uint8Array(0), ...pack });
        counts.blocks += blocks;
        item.state = 'done';
        settleReady();
      });
      changed.beat();
    },
    async take(message) {
      const kept = message.parts.flatMap((part) => {
        const item = ledger.openSegment(part.item);
        return item === undefined ? [] : [{ item, part: { ...targetOf(item), ...part, base: item.base } }];
      });
      if (kept.length === 0) return;
      for (const { item, part } of kept) {
        item.state = 'working';
        item.hash = Buffer.from(part.hash);
        counts.blocks += sentBlocks(part.states);
      }
      if (message.payload.length < message.payloadLength) keeper.count(kept, message.payloadLength);
      else await content.start(() => keeper.keep(kept, message));
    },
    takeWants: (limit) => wants.splice(0, limit),
    askAgain() {
      wants.length = 0;
      for (const [number, item] of ledger.asking()) want(number, item);
      changed.beat();
    },
    async finish(items, tree) {
      if (items !== ledger.received) fail('ProtocolError', 'The volume ends before its items');
      join.finish();
      await idle();
      check();
      if (ledger.settled !== ledger.received) fail('ProtocolError', 'The volume ends before its content');
      const mine = await settler.finish();
      if (!isSameTree(mine, tree)) fail('TransferMismatch', 'What arrived is not what the source sent');
      await sink.complete();
    },
  };
}

interface ArrivalParts {
  readonly ledger: ItemLedger;
  readonly background: ReturnType<typeof createBackground>;
  readonly keeper: ReturnType<typeof createSegmentKeeper>;
  readonly takeSegment: () => TreeSegment | undefined;
}

/** Decides what happens to a segment: we have it, it comes by itself, it is zeros, an earlier attempt kept it, or it must be got. */
function segmentArrival(
  { sink, key, told }: DestinationVolumeOptions,
  { ledger, background, keeper, takeSegment }: ArrivalParts,
) {
  const zeroHash = zeroSegmentHashes(key);
  return async (file: IncomingFile, arrived: WireItem & { readonly is: 'segment' }): Promise<void> => {
    if (file.arrived >= file.segments) fail('ProtocolError', 'A segment beyond the end of its file');
    const { hash, coming } = arrived;
    const mine = file.own === undefined ? undefined : takeSegment()?.hash;
    // Copied: a view would take all that was read with it to a worker.
    const base = mine === undefined || mine.equals(hash) ? mine : Buffer.from(mine);
    const segment = file.arrived++;
    const item: IncomingSegment = {
      is: 'segment',
      file,
      segment,
      hash,
      base,
      state: 'working',
      own: undefined,
      ownBlocks: 0,
      placement: undefined,
    };
    const number = ledger.add(item);
    if (base?.equals(hash)) {
      item.state = 'done';
      return;
    }
    if (coming) {
      if (told.base !== null) item.ownBlocks = ownBlocksOf(item);
      item.state = 'asking';
      return;
    }
    if (zeroHash(lengthOf(item)).equals(hash)) {
      const part = {
        ...targetOf(item),
        hash,
        states: zeroStates(item),
        rawOffset: 0,
        sentTag: undefined,
        base: undefined,
      };
      const nothing = { payload: new Uint8Array(0), compressed: false, rawLength: 0 };
      await background.start(() => keeper.keep([{ item, part }], nothing));
      return;
    }
    const stored = sink.findStored(hash, base);
    if (stored !== undefined) keeper.markDone(item, stored);
    else await background.start(() => keeper.get(number, item));
  };
}

interface ItemLedger {
  readonly received: number;
  readonly settled: number;
  /** Answers the item's number. */
  add(item: IncomingItem): number;
  /** The segment that content is expected for; undefined when it is here already. */
  openSegment(number: number): IncomingSegment | undefined;
  asking(): readonly (readonly [number, IncomingSegment])[];
  /** Settles from the front as far as everything is there. */
  settleReady(): Promise<void>;
}

/** The numbered items between arrival and settling. */
function itemLedger(settle: (item: IncomingItem) => Promise<void>): ItemLedger {
  const items = new Map<number, IncomingItem>();
  let received = 0;
  let settled = 0;
  return {
    get received() {
      return received;
    },
    get settled() {
      return settled;
    },
    add(item) {
      items.set(received, item);
      return received++;
    },
    openSegment(number) {
      const item = items.get(number);
      // Pushed content that we turned out to have.
      if (number < settled || (item?.is === 'segment' && item.state === 'done')) return undefined;
      if (item?.is === 'segment' && item.state === 'asking') return item;
      return fail('ProtocolError', 'Content that was not asked for');
    },
    asking() {
      return [...items].flatMap(([number, item]) =>
        item.is === 'segment' && item.state === 'asking' ? [[number, item] as const] : [],
      );
    },
    async settleReady() {
      for (let item = items.get(settled); item !== undefined; item = items.get(settled)) {
        if ('state' in item && item.state !== 'done') return;
        await settle(item);
        items.delete(settled);
        settled++;
      }
    },
  };
}
