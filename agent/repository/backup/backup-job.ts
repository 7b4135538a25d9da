/** What the main thread asks of a backup's worker threads, and what they answer. Directories are named by open descriptors. */
import type { ByteString } from '../../mover/syscalls.ts';
import type { CompressionLevel } from '../format/compress.ts';
import type { SharedLimits } from '../local-limits.ts';
import type { ChunkingRule } from './choose-chunking.ts';
import type { ClaimTables } from './claims.ts';
import type { PackedText } from './packed-tree.ts';

export interface EntriesJob {
  readonly do: 'entries';
  /** The descriptor of their directory, open in this process. */
  readonly directory: number;
  /** Its path from the root: only to choose by. */
  readonly path: ByteString;
  readonly names: readonly ByteString[];
  readonly isDirectory: readonly boolean[];
  /** The directory has no other names, and no directory among these: the thread may save its tree as well. */
  readonly isAll: boolean;
  readonly before: ParentNodes | undefined;
}

/** What the parent snapshot has between the first and the last of some names. */
export interface ParentNodes {
  /** A tree's JSON with these nodes, in order. */
  readonly json: Uint8Array<ArrayBuffer>;
  /** Of the tree, when these are all of its nodes. */
  readonly tree: string | undefined;
}

/** The content of a part of a large file. */
export interface ContentJob {
  readonly do: 'content';
  readonly directory: number;
  readonly name: ByteString;
  readonly inode: bigint;
  readonly size: number;
  readonly offset: number;
  readonly length: number;
  readonly chunking: Chunking;
}

/** Blocks of a raw device. */
export interface DeviceJob {
  readonly do: 'device';
  /** Open in this process. */
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
}

/** One small data blob. */
export interface DataJob {
  readonly do: 'data';
  readonly bytes: Uint8Array;
}

export interface TreeJob {
  readonly do: 'tree';
  readonly tree: TreeText;
}

export type TreeText = { readonly json: Uint8Array<ArrayBuffer> } | PackedTree;

/** Of a large directory. */
export interface PackedTree {
  /** In order, to be separated by commas. */
  readonly nodes: readonly PackedText[];
  /** Of the JSON. */
  readonly length: number;
}

/** Packs what is left. */
export interface FlushJob {
  readonly do: 'flush';
}

export type BackupJob = EntriesJob | ContentJob | DeviceJob | DataJob | TreeJob | FlushJob;

/** `pages`: fixed blocks, for what is rewritten in place. `whole`: one blob. */
export type Chunking = 'content' | 'pages' | 'whole';

export type SavedEntry =
  /** One or more, with commas between them. */
  | { readonly is: 'nodes'; readonly text: string }
  /** A directory's text without its subtree. */
  | { readonly is: 'directory'; readonly name: ByteString; readonly head: string }
  /** A large file's text without its content. */
  | {
      readonly is: 'large';
      readonly name: ByteString;
      readonly head: string;
      readonly inode: bigint;
      readonly size: number;
      readonly chunking: Chunking;
    };

export interface EntryCounts {
  /** As the parent snapshot has them. */
  readonly unchanged: number;
  readonly bytesUnchanged: number;
  /** Left out. */
  readonly skipped: number;
}

/** `changed`: saved, but perhaps some of it before and some after a change. The others are left out. */
export interface Problem {
  readonly kind: 'vanished' | 'changed' | 'unreadable';
  readonly name: ByteString;
  readonly message: string;
}

export interface WrittenPack {
  readonly buffer: ArrayBuffer;
  readonly length: number;
  /** Of its header: what `blobsOfEntries` reads. */
  readonly entries: Uint8Array<ArrayBuffer>;
  readonly blobs: number;
}

export interface BackupAnswer {
  /** In order; none when the tree is saved. */
  readonly entries: readonly SavedEntry[];
  readonly entryCounts: EntryCounts;
  /** Of a content, device or data job: the blobs in order. Of a tree job, and of entries that are a whole directory: the tree's id. */
  readonly ids: readonly string[];
  readonly problems: readonly Problem[];
  readonly counts: BackupCounts;
}

export interface BackupCounts {
  readonly filesRead: number;
  readonly bytesRead: number;
  readonly newBlobs: number;
  /** Sealed bytes of new blobs. */
  readonly bytesAdded: number;
}

/** What a thread is started with. */
export interface BackupThreadData {
  readonly key: { readonly encrypt: Uint8Array; readonly macK: Uint8Array; readonly macR: Uint8Array };
  readonly tables: ClaimTables;
  /** Of `packsAhead`. */
  readonly ahead: SharedArrayBuffer;
  readonly level: CompressionLevel | undefined;
  /** In ns: what changed at or after this moment, when the parent was begun, may have changed after it was read. */
  readonly trustBefore: bigint;
  readonly chunking: readonly ChunkingRule[];
  /** On what is read. */
  readonly limits: SharedLimits | undefined;
}

export interface BackupRequest {
  readonly job: BackupJob;
  /** Tables that came since. */
  readonly tables: ClaimTables;
}

/** A thread hands packs over when they are full, in the midst of a job; its answer comes last. */
export type BackupReply = { readonly pack: WrittenPack } | { readonly answer: BackupAnswer };
