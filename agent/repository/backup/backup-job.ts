/** What the main thread asks of a backup's worker threads, and what they answer. Directories are named by open descriptors. */
import type { ByteString } from '../../mover/syscalls.ts';
import type { CompressionLevel } from '../format/compress.ts';
import type { PackedBlob } from '../format/pack.ts';
import type { ClaimTables } from './claims.ts';

/** What makes an entry count as unchanged: equal to the same text of the parent snapshot's node. */
export type Stamp = string;

export interface EntriesJob {
  readonly do: 'entries';
  /** The descriptor of their directory, open in this process. */
  readonly directory: number;
  readonly names: readonly ByteString[];
  readonly isDirectory: readonly boolean[];
  /** Of the parent snapshot, for each name. */
  readonly before: readonly (Stamp | undefined)[];
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

export interface TreeJob {
  readonly do: 'tree';
  readonly json: Uint8Array<ArrayBuffer>;
}

/** Packs what is left. */
export interface FlushJob {
  readonly do: 'flush';
}

export type BackupJob = EntriesJob | ContentJob | TreeJob | FlushJob;

/** `pages`: fixed blocks, for what is rewritten in place. `whole`: one blob. */
export type Chunking = 'content' | 'pages' | 'whole';

export type SavedEntry =
  | { readonly is: 'node'; readonly text: string }
  /** As the parent snapshot has it. */
  | { readonly is: 'unchanged' }
  /** A directory's text without its subtree. */
  | { readonly is: 'directory'; readonly head: string }
  /** A large file's text without its content. */
  | {
      readonly is: 'large';
      readonly head: string;
      readonly inode: bigint;
      readonly size: number;
      readonly chunking: Chunking;
    }
  | { readonly is: 'skipped' };

/** `changed`: saved, but perhaps some of it before and some after a change. The others are left out. */
export interface Problem {
  readonly kind: 'vanished' | 'changed' | 'unreadable';
  readonly name: ByteString;
  readonly message: string;
}

export interface WrittenPack {
  readonly buffer: ArrayBuffer;
  readonly length: number;
  readonly blobs: readonly PackedBlob[];
}

export interface BackupAnswer {
  readonly entries: readonly SavedEntry[];
  /** Of a content job: the blobs in order. Of a tree job: its id. */
  readonly ids: readonly string[];
  readonly problems: readonly Problem[];
  /** Packs that became full. */
  readonly packs: readonly WrittenPack[];
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
  readonly level: CompressionLevel | undefined;
}

export interface BackupRequest {
  readonly job: BackupJob;
  /** Tables that came since. */
  readonly tables: ClaimTables;
  /** Buffers of packs that are stored. */
  readonly buffers: readonly ArrayBuffer[];
}
