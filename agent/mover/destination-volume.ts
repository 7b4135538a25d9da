/**
 * The receiver's side of one volume: walks the incoming entries beside its own (both in the same order), decides for each segment
 * whether it has it, and settles items strictly in order. What it keeps in memory is the sender's window, no more.
 * Content is offered from this very volume only: nothing is ever answered from another volume.
 */
import { comparePaths, type Entry, hasContent, isBelow, isSpecial, sameMetadata } from './entry.ts';
import { blockStates, ownHashBytes, type SegmentPlace, type WorkerPool } from './job.ts';
import { hashBytes, segmentBytes, segmentCount, segmentLength, zeroSegmentHashes } from './layout.ts';
import type { DataMessage, DataPart, Want, WireItem } from './message.ts';
import { fail } from './mover-error.ts';
import type { OwnIndex } from './own-index.ts';
import type { Pulse } from './pulse.ts';
import { createSlots } from './pulse.ts';
import type { ByteString } from './syscalls.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';
import type { Placement, SegmentTarget, StoredPart, VolumeSink } from './volume-sink.ts';

export interface DestinationVolume {
  readonly received: number;
  readonly settled: number;
  /** Next items in order; resolves when there is room for more. */
  arrive(first: number, items: readonly WireItem[]): Promise<void>;
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
  readonly counts: { readonly bytes: number; readonly blocks: number; readonly bytesRead: number };
}

export interface DestinationVolumeOptions {
  readonly root: ByteString;
  readonly own: OwnIndex;
  readonly sink: VolumeSink;
  readonly pool: WorkerPool;
  readonly changed: Pulse;
}

interface FileState {
  readonly entry: Entry;
  /** Our file of this name, when it can be changed in place. */
  readonly own: Entry | undefined;
  readonly segments: number;
  arrived: number;
  wrote: boolean;
}

interface SegmentItem {
  readonly is: 'segment';
  readonly file: FileState;
  readonly segment: number;
  hash: Uint8Array;
  /** Our segment's hash at the same place. */
  readonly base: Buffer | undefined;
  state: 'working' | 'asking' | 'done';
  own: Uint8Array | undefined;
  placement: Placement | undefined;
}

type Item = { readonly is: 'entry'; readonly entry: Entry; readonly own: Entry | undefined } | SegmentItem;

interface OpenDirectory {
  readonly entry: Entry;
  touched: boolean;
}

const tasksPerWorker = 4;

export function destinationVolume(options: DestinationVolumeOptions): DestinationVolume {
  const { own, sink, pool, changed, root } = options;
  const items = new Map<number, Item>();
  const digester = treeDigester();
  const zeroHash = zeroSegmentHashes();
  const slots = createSlots(pool.workers * tasksPerWorker);
  const arriving: ByteString[] = [];
  const open: OpenDirectory[] = [];
  const removedIn = new Set<ByteString>();
  const wants: Want[] = [];
  const counts = { bytes: 0, blocks: 0, bytesRead: 0 };
  let failure: { readonly error: unknown } | undefined;
  let received = 0;
  let settled = 0;
  let lastPath: ByteString | undefined;
  let file: FileState | undefined;
  let settling = Promise.resolve();

  /** Runs work in the background, a bounded number at once; its failure is thrown by `check`. */
  const start = async (work: () => Promise<void>) => {
    const release = await slots.take();
    check();
    work()
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        release();
        changed.beat();
      });
  };
  const check = () => {
    if (failure !== undefined) throw failure.error;
  };

  // ---- arrival: in the sender's order ----

  const removeOwn = (path: ByteString) => {
    sink.remove(path);
    removedIn.add(parentOf(path));
    for (
      let next = own.peek();
      next !== undefined && (next.path === path || isBelow(next.path, path));
      next = own.peek()
    )
      own.take();
  };
  /** Our entry of the same name and nature; what comes before it or contradicts it goes. */
  const joinOwn = (entry: Entry): Entry | undefined => {
    let mine = own.peek();
    while (mine !== undefined && comparePaths(mine.path, entry.path) < 0) {
      removeOwn(mine.path);
      mine = own.peek();
    }
    if (mine?.path !== entry.path) return undefined;
    if (mine.type === entry.type) {
      own.take();
      return mine;
    }
    if (mine.path === '') fail('VolumeKindDiffers', 'A raw block volume can only be copied to a raw block volume');
    removeOwn(mine.path);
    return undefined;
  };
  const arriveEntry = (entry: Entry) => {
    assertNext(entry, lastPath, arriving);
    lastPath = entry.path;
    const mine = joinOwn(entry);
    if (entry.type === 'directory') {
      arriving.push(entry.path);
      if (mine === undefined) sink.makeDirectory(entry.path);
    }
    items.set(received++, { is: 'entry', entry, own: mine });
    const segments = hasContent(entry) ? segmentCount(entry.size) : 0;
    file = segments === 0 ? undefined : { entry, own: mine, segments, arrived: 0, wrote: false };
  };
  const arriveSegment = async (hash: Buffer, isComing: boolean) => {
    if (file === undefined || file.arrived >= file.segments) return fail('ProtocolError', 'A segment that no file has');
    const base = file.own === undefined ? undefined : own.takeSegment();
    const item: SegmentItem = {
      is: 'segment',
      file,
      segment: file.arrived++,
      hash,
      base,
      state: 'working',
      own: undefined,
      placement: undefined,
    };
    const number = received++;
    items.set(number, item);
    if (base?.equals(hash)) item.state = 'done';
    else if (isComing) item.state = 'asking';
    else await resolveSegment(number, item);
    return undefined;
  };
  /** Not the same content at the same place: zeros, kept by an earlier attempt, moved within the volume, or to be asked for. */
  const resolveSegment = async (number: number, item: SegmentItem) => {
    const length = segmentLength(item.file.entry.size, item.segment);
    if (zeroHash(length).equals(item.hash)) {
      const states = new Uint8Array(Math.ceil(length / 16_384)).fill(blockStates.zero);
      const part = { ...targetOf(item), hash: item.hash, states, rawOffset: 0, own: undefined, base: undefined };
      await start(() => keep([{ item, part }], { payload: new Uint8Array(0), compressed: false, rawLength: 0 }));
      return;
    }
    const stored = sink.findStored(item.hash, item.base);
    if (stored !== undefined) {
      markDone(item, stored);
      return;
    }
    const elsewhere = own.find(item.hash);
    await start(async () => {
      if (elsewhere !== undefined && (await copyOwn(item, elsewhere))) return;
      await ask(number, item);
    });
  };
  const copyOwn = async (item: SegmentItem, place: SegmentPlace): Promise<boolean> => {
    const { pack, bytesRead } = await pool.run({ do: 'pack', root, wants: [{ place, own: undefined }] });
    counts.bytesRead += bytesRead;
    const [part] = pack.parts;
    const { size } = item.file.entry;
    // It moved on, or the hint was wrong: then it is asked for.
    if (part === undefined || Buffer.compare(part.hash, item.hash) !== 0) return false;
    if (segmentLength(size, item.segment) !== segmentLength(place.size, place.segment)) return false;
    const stored = { ...targetOf(item), ...part, own: undefined, base: undefined };
    await keep([{ item, part: stored }], pack);
    return true;
  };
  const ask = async (number: number, item: SegmentItem) => {
    const mine = item.file.own;
    if (item.base !== undefined && mine !== undefined) {
      const place = { path: mine.path, size: mine.size, segment: item.segment, sparse: true };
      const { hashes } = await pool.run({ do: 'blocks', root, place });
      counts.bytesRead += segmentLength(mine.size, item.segment);
      item.own = hashes;
    }
    item.state = 'asking';
    wants.push(wantOf(number, item, sink.isCounting));
  };

  // ---- content ----

  const keep = async (
    kept: readonly { readonly item: SegmentItem; readonly part: StoredPart }[],
    pack: Pick<DataMessage, 'payload' | 'compressed' | 'rawLength'>,
  ) => {
    const placements = await sink.store({ ...pack, parts: kept.map(({ part }) => part) });
    for (const [at, { item }] of kept.entries()) markDone(item, placements[at]);
    settleReady();
  };
  const markDone = (item: SegmentItem, placement: Placement | undefined) => {
    item.state = 'done';
    item.placement = placement;
    item.file.wrote = true;
  };
  const openPart = (part: DataPart): { readonly item: SegmentItem; readonly part: StoredPart } | undefined => {
    const item = items.get(part.item);
    // Pushed content that we turned out to have.
    if (part.item < settled || (item?.is === 'segment' && item.state === 'done')) return undefined;
    if (item?.is !== 'segment' || item.state !== 'asking')
      return fail('ProtocolError', 'Content that was not asked for');
    const length = segmentLength(item.file.entry.size, item.segment);
    if (part.states.length !== Math.ceil(length / 16_384))
      fail('ProtocolError', 'Content has not the blocks of its segment');
    return { item, part: { ...targetOf(item), ...part, own: item.own, base: item.base } };
  };

  // ---- settling: strictly in order ----

  const settleReady = () => {
    settling = settling.then(settleAll).catch((error: unknown) => {
      failure ??= { error };
      changed.beat();
    });
  };
  const settleAll = async () => {
    for (let item = items.get(settled); item !== undefined; item = items.get(settled)) {
      if (item.is === 'segment' && item.state !== 'done') break;
      if (item.is === 'entry') await settleEntry(item.entry, item.own);
      else await settleSegment(item);
      items.delete(settled);
      settled++;
    }
    changed.beat();
  };
  const closeDirectories = async (next: ByteString | undefined) => {
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      if (next !== undefined && isBelow(next, last.entry.path)) return;
      open.pop();
      const touched = last.touched || removedIn.delete(last.entry.path) || sink.touchesDirectories;
      if (touched) await sink.finish(last.entry);
    }
  };
  const settleEntry = async (entry: Entry, mine: Entry | undefined) => {
    digester.addEntry(entry);
    await closeDirectories(entry.path);
    const parent = open.at(-1);
    const isSame = mine !== undefined && sameMetadata(mine, entry);
    if (parent !== undefined && (mine === undefined || entry.type === 'hardlink')) parent.touched = true;
    if (entry.type === 'directory') open.push({ entry, touched: !isSame });
    else if (entry.type === 'hardlink') await sink.link(entry);
    else if (!hasContent(entry) || entry.size === 0) {
      if (isSame) return;
      // Replacing a name changes its directory's times.
      if (parent !== undefined && (isSpecial(entry.type) || entry.type === 'symlink')) parent.touched = true;
      if (entry.type !== 'volume') await sink.create(entry);
    }
  };
  const settleSegment = async (item: SegmentItem) => {
    digester.addSegment(item.hash);
    counts.bytes += segmentLength(item.file.entry.size, item.segment);
    const target = targetOf(item);
    if (item.placement !== undefined) sink.write(target, item.placement);
    const { entry, own: mine, segments, wrote } = item.file;
    if (item.segment + 1 < segments || entry.type === 'volume') return;
    const isSet = target.finish !== undefined && wrote;
    const isSame = mine !== undefined && sameMetadata(mine, entry) && !wrote;
    if (!isSet && !isSame) await sink.finish(entry);
  };

  return {
    get received() {
      return received;
    },
    get settled() {
      return settled;
    },
    counts,
    check,
    async arrive(first, arrivals) {
      if (first !== received) fail('ProtocolError', 'Items arrive out of order');
      for (const item of arrivals) {
        if (item.is === 'entry') arriveEntry(item.entry);
        else await arriveSegment(item.hash, item.coming);
      }
      settleReady();
      changed.beat();
    },
    async take(message) {
      const kept = message.parts.map(openPart).filter((part) => part !== undefined);
      counts.blocks += kept.reduce((sum, { part }) => sum + sentBlocks(part.states), 0);
      if (kept.length === 0) return;
      for (const { item, part } of kept) {
        item.state = 'working';
        item.hash = Buffer.from(part.hash);
      }
      if (message.payload.length < message.payloadLength) {
        sink.count(message.payloadLength);
        for (const { item } of kept) markDone(item, undefined);
        settleReady();
        return;
      }
      await start(() => keep(kept, message));
    },
    takeWants: (limit) => wants.splice(0, limit),
    askAgain() {
      wants.length = 0;
      for (const [number, item] of items) {
        if (item.is === 'segment' && item.state === 'asking') wants.push(wantOf(number, item, sink.isCounting));
      }
      changed.beat();
    },
    async finish(count, tree) {
      if (count !== received) fail('ProtocolError', 'The volume ends before its items');
      for (let mine = own.peek(); mine !== undefined; mine = own.peek()) removeOwn(mine.path);
      await slots.idle();
      await settling;
      check();
      if (settled !== received) fail('ProtocolError', 'The volume ends before its content');
      await closeDirectories(undefined);
      const mine = digester.finish();
      if (mine.digest !== tree.digest) fail('TransferMismatch', 'What arrived is not what the source sent');
      await sink.complete();
    },
    async idle() {
      await slots.idle();
      await settling;
    },
  };
}

const parentOf = (path: ByteString): ByteString => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Entries come in walk order below directories that came before: so no name can lead out of the volume. */
function assertNext(entry: Entry, lastPath: ByteString | undefined, arriving: ByteString[]): void {
  if (lastPath === undefined) {
    if (entry.path !== '' || (entry.type !== 'directory' && entry.type !== 'volume'))
      fail('ProtocolError', 'A volume begins with its root');
    return;
  }
  if (comparePaths(lastPath, entry.path) >= 0) fail('ProtocolError', 'Entries arrive out of order');
  while (arriving.length > 0 && !isBelow(entry.path, arriving.at(-1) ?? '')) arriving.pop();
  if (arriving.at(-1) !== parentOf(entry.path)) fail('ProtocolError', 'An entry without its directory');
}

function targetOf({ file, segment }: SegmentItem): SegmentTarget {
  const { entry, own, segments } = file;
  const isFile = entry.type === 'file';
  return {
    path: entry.path,
    size: entry.size,
    segment,
    overwrites: !isFile || (own !== undefined && own.size > segment * segmentBytes),
    finish: isFile && segments === 1 ? entry : undefined,
  };
}

function wantOf(item: number, { own, file, segment }: SegmentItem, countOnly: boolean): Want {
  if (own === undefined) return { item, own: undefined, countOnly };
  const blocks = Math.min(own.length / hashBytes, Math.ceil(segmentLength(file.entry.size, segment) / 16_384));
  const short = Buffer.alloc(blocks * ownHashBytes);
  for (let block = 0; block < blocks; block++) {
    short.set(own.subarray(block * hashBytes, block * hashBytes + ownHashBytes), block * ownHashBytes);
  }
  return { item, own: short, countOnly };
}

const sentBlocks = (states: Uint8Array): number =>
  states.reduce((sum, state) => sum + (state === blockStates.sent ? 1 : 0), 0);
