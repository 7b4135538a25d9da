/** What the main thread asks of a restore's worker threads, and what they answer. Directories and large files are open descriptors. */
import type { Counts } from '../../mover/contract.ts';
import type { ByteString } from '../../mover/syscalls.ts';
import type { PackedBlob } from '../format/pack.ts';
import type { TreeNode } from '../format/tree.ts';
import type { SharedLimits } from '../local-limits.ts';

/** Sealed bytes as the store gave them; a blob's place in them. */
export interface FetchedBlob extends PackedBlob {
  readonly pack: string;
  /** Undefined when the repository doesn't have it any more. */
  readonly from: { readonly buffer: number; readonly offset: number } | undefined;
}

/** One blob's bytes in a file. */
export interface Piece {
  readonly id: string;
  readonly length: number;
}

/** What of a file has to be written, or compared. */
export interface FileItem {
  readonly directory: number;
  /** Its `size` is that of its content. */
  readonly node: TreeNode;
  /** A large file that is open already; only a part of it comes in one job. */
  readonly fd: number | undefined;
  /** Where the pieces begin. */
  readonly offset: number;
  readonly pieces: readonly Piece[];
  /** Nothing of ours or anybody else's was there before. */
  readonly isNew: boolean;
}

/** Which pieces a target has already: read and hashed. */
export interface ProbeJob {
  readonly do: 'probe';
  readonly items: readonly FileItem[];
}

/** What a file's metadata is made of. */
export type FileNode = Pick<TreeNode, 'name' | 'mode' | 'uid' | 'gid' | 'links' | 'size' | 'mtimeNs' | 'xattrs'>;

export interface WriteItem extends Omit<FileItem, 'node' | 'pieces'> {
  readonly node: FileNode;
  readonly pieces: readonly Pick<Piece, 'length'>[];
  /** For each piece the number of its blob; undefined leaves what is there. */
  readonly blobs: readonly (number | undefined)[];
}

export interface WriteJob {
  readonly do: 'write';
  readonly items: readonly WriteItem[];
  readonly blobs: readonly FetchedBlob[];
  readonly buffers: readonly ArrayBuffer[];
  /** Whether whole directories may be removed where a file belongs. */
  readonly wholeTrees: 'remove' | 'keep';
}

/** Symlinks, fifos, sockets, devices. */
export interface CreateJob {
  readonly do: 'create';
  readonly items: readonly { readonly directory: number; readonly node: TreeNode }[];
  readonly wholeTrees: 'remove' | 'keep';
}

/** A range of a raw device that has to be zeros. */
export interface ZerosJob {
  readonly do: 'zeros';
  /** Open in this process. */
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
  /** `look` changes nothing: `present` tells. */
  readonly effect: 'clear' | 'look';
}

/** Compares everything with what should be there, content read anew from the storage. */
export interface CompareJob {
  readonly do: 'compare';
  readonly items: readonly FileItem[];
}

export type RestoreJob = ProbeJob | WriteJob | CreateJob | CompareJob | ZerosJob;

export interface ItemProblem {
  readonly item: number;
  readonly kind: RestoreProblemKind;
  readonly message: string;
}

/** `lost`: the repository lacks the bytes or has wrong ones. `unwritable`: the target refused. `different`: found by verifying. */
export type RestoreProblemKind = 'lost' | 'unwritable' | 'different';

export interface RestoreAnswer {
  /** Of a probe: for each item, whether each piece is there; undefined when there is no such file. Of zeros: one of one. */
  readonly present: readonly (readonly boolean[] | undefined)[];
  readonly problems: readonly ItemProblem[];
  /** What the kernel refused to set, by kind. */
  readonly degraded: Counts;
  readonly bytesWritten: number;
  /** Inode numbers of what was made, for hard links: one an item. */
  readonly inodes: readonly bigint[];
}

export interface RestoreThreadData {
  readonly key: { readonly encrypt: Uint8Array; readonly macK: Uint8Array; readonly macR: Uint8Array };
  /** On what is written and compared. */
  readonly limits: SharedLimits | undefined;
}

export interface RestoreProblem {
  readonly path: ByteString;
  readonly kind: RestoreProblemKind;
  readonly message: string;
}
