/**
 * The pieces of work that worker threads do, as values: all reading, hashing, compressing and writing of volumes.
 * A job names files below `root`; its answer is plain data whose buffers are handed over, not copied.
 * Jobs are independent of one another and may be repeated.
 */

import type { RunKey } from './content-hash.ts';
import type { Counts } from './contract.ts';
import type { Entry } from './entry.ts';
import type { PlainUnits } from './plain-units.ts';
import type { ScanUnits, SegmentPlace } from './scan-units.ts';
import type { ByteString, Xattr } from './syscalls.ts';
import type { Settled } from './tree-record.ts';
import type { VolumeKind } from './walk.ts';

/** What became of each 16 KiB block of a segment: as the receiver has it, all zero, or in the payload. */
export const blockStates = { same: 0, zero: 1, sent: 2 } as const;

/** How many blocks are in the payload. */
export const sentBlocks = (states: Uint8Array): number =>
  states.reduce((sum, state) => sum + (state === blockStates.sent ? 1 : 0), 0);

const knownUniform = new Map<number, Uint8Array>();

/** One state for all blocks. The same array for the same call, not to be written to: so it crosses once a message, not once a part. */
export function uniformStates(blocks: number, state: number): Uint8Array {
  const at = blocks * 4 + state;
  const known = knownUniform.get(at) ?? new Uint8Array(blocks).fill(state);
  knownUniform.set(at, known);
  return known;
}

/** Contents on their way: the sent blocks of all parts one after the other, zstd-compressed when that helps. */
export interface Pack {
  readonly parts: readonly PackPart[];
  readonly payload: Uint8Array;
  readonly compressed: boolean;
  readonly rawLength: number;
}

export interface PackPart {
  /** Index into the job's list. */
  readonly at: number;
  /** The whole segment's hash, whichever blocks travel. */
  readonly hash: Uint8Array;
  readonly states: Uint8Array;
  /** Where its sent blocks begin in the raw payload. */
  readonly rawOffset: number;
  /** Of its sent blocks together, when others stay at home: then the segment's hash can't be had from what travels. */
  readonly sentTag: Uint8Array | undefined;
}

/** A segment as the receiver has it; nothing of it when it is longer now than it was. */
export interface SegmentBase {
  readonly hash: Uint8Array | undefined;
  readonly tags: Uint8Array | undefined;
}

export interface PutPart {
  readonly path: ByteString;
  readonly size: number;
  readonly segment: number;
  readonly hash: Uint8Array;
  readonly states: Uint8Array;
  /** Whether older content may lie where zeros belong. */
  readonly overwrites: boolean;
  /** Where the part's sent blocks begin in the raw payload. */
  readonly rawOffset: number;
  readonly sentTag: Uint8Array | undefined;
  /** The file's metadata, when this part completes it. */
  readonly finish: Entry | undefined;
}

export type SettleAction =
  /** Makes a symlink, special file or empty file; replaces what has the name. */
  | { readonly do: 'create'; readonly entry: Entry }
  /** Sets size and metadata of what exists. */
  | { readonly do: 'finish'; readonly entry: Entry };

/** Reads attributes and contents; with `pack` the contents come along. */
export interface ScanJob {
  readonly do: 'scan';
  readonly key: RunKey;
  readonly root: ByteString;
  readonly units: ScanUnits;
  /** By unit: what it held when the receiver had the same. Where given, what changed since is packed. */
  readonly bases: readonly (SegmentBase | undefined)[] | undefined;
  /** Answer the tags of blocks, too, of all but small segments. */
  readonly tags: boolean;
  readonly pack: boolean;
  /** Forget cached pages first, so that storage is what is read. */
  readonly fromStorage: boolean;
  /** By unit: the only blocks for which it must be storage; all when undefined. */
  readonly written: readonly (Uint8Array | undefined)[] | undefined;
}

/** Reads segments; `own` are the tags of the receiver's blocks. */
export interface PackJob {
  readonly do: 'pack';
  readonly key: RunKey;
  readonly root: ByteString;
  readonly wants: readonly { readonly place: SegmentPlace; readonly own: Uint8Array | undefined }[];
}

export interface BlocksJob {
  readonly do: 'blocks';
  readonly key: RunKey;
  readonly root: ByteString;
  readonly place: SegmentPlace;
}

/** Checks a pack; writes it when `root` is given. */
export interface PutJob {
  readonly do: 'put';
  readonly key: RunKey;
  /** `First`: nothing is written of a part that differs from its hash. `ReadBack`: into a new volume, which is read back anyway before anything is said of it. */
  readonly check: 'First' | 'ReadBack';
  readonly root: ByteString | undefined;
  readonly payload: Uint8Array;
  readonly compressed: boolean;
  readonly rawLength: number;
  readonly parts: readonly PutPart[];
}

/** Reads plain entries and makes records of them; with `pack` their contents come along. */
export interface RecordJob {
  readonly do: 'record';
  readonly key: RunKey;
  readonly root: ByteString;
  readonly units: PlainUnits;
  /** Of these units, as an index of the first and of the one after the last. */
  readonly from: number;
  readonly to: number;
  /** All of them at once; else the answer may end before the last, so that it doesn't become too large for a frame. */
  readonly isWhole: boolean;
  /** Those that changed later are marked as not settled; none when undefined. */
  readonly settled: Settled | undefined;
  /** Segments have the tags of their blocks, all but small ones. */
  readonly tags: boolean;
  readonly pack: boolean;
  readonly fromStorage: boolean;
}

/** Makes what records of plain entries say in a new volume, which is read back before anything is said of it: all but directories. */
export interface FillJob extends RecordPack {
  readonly do: 'fill';
  readonly root: ByteString;
  readonly encoded: Uint8Array;
}

/** Contents of the files among records. */
export interface RecordPack extends Omit<Pack, 'parts'> {
  /** Of the blocks of each file, one after the other (`writeStates`). */
  readonly states: Uint8Array;
}

export interface SettleJob {
  readonly do: 'settle';
  readonly root: ByteString;
  readonly actions: readonly SettleAction[];
}

/** Walks a whole volume for its size: what progress is measured against. */
export interface MeasureJob {
  readonly do: 'measure';
  readonly root: ByteString;
  readonly kind: VolumeKind;
}

/** Writes everything dirty of a volume's file system to its storage. */
export interface SyncJob {
  readonly do: 'sync';
  readonly root: ByteString;
  readonly kind: VolumeKind;
}

export type Job = RecordJob | FillJob | SyncJob | MeasureJob | ScanJob | PackJob | BlocksJob | PutJob | SettleJob;

export interface ScanAnswer {
  /** By index of unit: only where there is something. */
  readonly details: readonly (readonly [at: number, target: ByteString, xattrs: readonly Xattr[]])[];
  /** Units that were gone when we came. */
  readonly gone: readonly number[];
  /** 32 bytes for each unit with a place, in order, also of gone ones. */
  readonly hashes: Uint8Array;
  /** For each unit with a place, in order, when asked for. */
  readonly tags: readonly (Uint8Array | undefined)[];
  readonly pack: Pack | undefined;
  readonly warnings: Counts;
  readonly bytesRead: number;
}

export interface RecordAnswer {
  /** Records as a tree file has them, each after its length. */
  readonly encoded: Uint8Array;
  readonly entries: number;
  /** Entries and segments. */
  readonly records: number;
  /** Content of its files. */
  readonly bytes: number;
  /** `blocks`: how many of them are sent. */
  readonly pack: (RecordPack & { readonly blocks: number }) | undefined;
  /** The unit after the last one that it is about. */
  readonly done: number;
  readonly warnings: Counts;
  readonly bytesRead: number;
}

export interface PackAnswer {
  readonly pack: Pack;
  readonly warnings: Counts;
  readonly bytesRead: number;
}

export interface BlocksAnswer {
  readonly tags: Uint8Array;
}

/** What of an entry the kernel would not set. */
export interface Refused {
  /** As it should be. */
  readonly entry: Entry;
  /** Kinds of metadata, as counted. */
  readonly kinds: readonly string[];
}

export interface PutAnswer {
  readonly bytesWritten: number;
  readonly degraded: Counts;
  readonly refused: readonly Refused[];
}

export interface FillAnswer extends PutAnswer {
  /** Written, and not begun to be written to storage. */
  readonly leftToKernelBytes: number;
  /** That came. */
  readonly blocks: number;
}

export interface SettleAnswer {
  readonly degraded: Counts;
  readonly refused: readonly Refused[];
}

export interface SyncAnswer {
  readonly synced: true;
}

export interface VolumeSize {
  readonly files: number;
  readonly bytes: number;
}

export interface Answers {
  readonly sync: SyncAnswer;
  readonly measure: VolumeSize;
  readonly scan: ScanAnswer;
  readonly record: RecordAnswer;
  readonly fill: FillAnswer;
  readonly pack: PackAnswer;
  readonly blocks: BlocksAnswer;
  readonly put: PutAnswer;
  readonly settle: SettleAnswer;
}

export interface WorkerPool {
  readonly workers: number;
  /** Runs a job on the next free worker, in the order asked. Rejects with the job's StorkError or the signal's reason. */
  run<J extends Job>(job: J, signal?: AbortSignal): Promise<Answers[J['do']]>;
  close(): Promise<void>;
}
