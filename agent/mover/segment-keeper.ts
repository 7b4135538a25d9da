/** Gets and keeps the content of segments: from elsewhere in the same volume, or from the sender; always verified before it counts. */
import { type RunKey, tagBytes } from './content-hash.ts';
import { type IncomingSegment, lengthOf, targetOf } from './incoming-item.ts';
import { blockStates, type WorkerPool } from './job.ts';
import { blockCount, segmentLength } from './layout.ts';
import { fail } from './mover-error.ts';
import type { OwnIndex } from './own-index.ts';
import type { SegmentPlace } from './scan-units.ts';
import type { ByteString } from './syscalls.ts';
import type { Placement, StoredPack, StoredPart, VolumeSink } from './volume-sink.ts';

export interface SegmentKeeper {
  /** Looks for the content in our volume; asks the sender when it isn't there. */
  get(number: number, item: IncomingSegment): Promise<void>;
  keep(kept: readonly KeptPart[], pack: Omit<StoredPack, 'parts'>): Promise<void>;
  /** Content that only was measured, as there is no room for it. */
  count(kept: readonly KeptPart[], payloadBytes: number): void;
  markDone(item: IncomingSegment, placement: Placement | undefined): void;
}

export interface KeptPart {
  readonly item: IncomingSegment;
  readonly part: StoredPart;
}

export interface SegmentKeeperOptions {
  readonly root: ByteString;
  readonly own: OwnIndex;
  readonly sink: VolumeSink;
  readonly pool: WorkerPool;
  readonly key: RunKey;
  readonly counts: { bytesRead: number };
  readonly settleReady: () => void;
  readonly want: (number: number, item: IncomingSegment) => void;
}

export function createSegmentKeeper(options: SegmentKeeperOptions): SegmentKeeper {
  const { root, own, sink, pool, key, counts, settleReady } = options;
  const markDone = (item: IncomingSegment, placement: Placement | undefined) => {
    item.state = 'done';
    item.placement = placement;
    item.file.wrote = true;
  };
  const keep = async (kept: readonly KeptPart[], pack: Omit<StoredPack, 'parts'>) => {
    const parts = kept.map(({ item, part }) => assertWhole(item, part));
    const { payload, compressed, rawLength } = pack;
    const placements = await sink.store({ payload, compressed, rawLength, parts });
    for (const [at, { item }] of kept.entries()) markDone(item, placements[at]);
    settleReady();
  };
  /** False when the content isn't there any more: then it is asked for. */
  const copyOwn = async (item: IncomingSegment, place: SegmentPlace): Promise<boolean> => {
    if (lengthOf(item) !== segmentLength(place.size, place.segment)) return false;
    const { pack, bytesRead } = await pool.run({ do: 'pack', key, root, wants: [{ place, own: undefined }] });
    counts.bytesRead += bytesRead;
    const [part] = pack.parts;
    if (part === undefined || Buffer.compare(part.hash, item.hash) !== 0) return false;
    await keep([{ item, part: { ...targetOf(item), ...part, base: undefined } }], pack);
    return true;
  };
  const ask = async (number: number, item: IncomingSegment) => {
    const mine = item.file.own;
    if (item.base !== undefined && mine !== undefined) {
      const place = { path: mine.path, size: mine.size, segment: item.segment, sparse: true };
      const { tags } = await pool.run({ do: 'blocks', key, root, place });
      counts.bytesRead += segmentLength(mine.size, item.segment);
      item.own = tags;
      item.ownBlocks = tags.length / tagBytes;
    }
    item.state = 'asking';
    options.want(number, item);
  };
  return {
    keep,
    markDone,
    async get(number, item) {
      const elsewhere = own.find(item.hash);
      if (elsewhere !== undefined && (await copyOwn(item, elsewhere))) return;
      await ask(number, item);
    },
    count(kept, payloadBytes) {
      sink.count(payloadBytes);
      for (const { item } of kept) markDone(item, undefined);
      settleReady();
    },
  };
}

function assertWhole(item: IncomingSegment, part: StoredPart): StoredPart {
  if (part.states.length !== blockCount(lengthOf(item)))
    return fail('ProtocolError', 'Content has not the blocks of its segment', part.path);
  if (part.states.lastIndexOf(blockStates.same) >= item.ownBlocks)
    return fail('ContentMismatch', 'A part leaves out a block that we have not', part.path);
  return part;
}
