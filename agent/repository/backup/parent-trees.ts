/** What the parent snapshot knows of a directory, so that unchanged files are neither opened nor written about again. */
import type { ByteString } from '../../mover/syscalls.ts';
import type { BlobLocations } from '../blob-locations.ts';
import { encodeNodeHead, readTree, type TreeNode, withContent } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import type { Stamp } from './backup-job.ts';
import { stampOf } from './save-entries.ts';

export interface ParentEntry {
  readonly stamp: Stamp | undefined;
  /** The node as it was. */
  readonly text: string;
  readonly subtree: string | undefined;
  readonly size: number;
}

export type ParentTree = ReadonlyMap<ByteString, ParentEntry>;

export interface ParentTrees {
  /** Of a subtree's id; empty for undefined, and for a tree that can't be read: then everything is read again. */
  entries(subtree: string | undefined): Promise<ParentTree>;
}

/**
 * @param trustBefore ns: what changed at or after this moment, when the parent was begun, may have changed after it was read
 */
export function parentTrees(repository: Repository, locations: BlobLocations, trustBefore: bigint): ParentTrees {
  const entryOf = (node: TreeNode): ParentEntry => {
    const { subtree, size } = node;
    const isStored = node.content.every((id) => locations.find(id, 'data') !== undefined);
    const isTrusted = node.type !== 'dir' && isStored && node.ctimeNs < trustBefore && node.mtimeNs < trustBefore;
    if (!isTrusted) return { stamp: undefined, text: '', subtree, size };
    const text = withContent(encodeNodeHead(node), node.type === 'file' ? node.content : undefined);
    return { stamp: stampOf(node), text, subtree, size };
  };
  return {
    async entries(subtree) {
      const blob = subtree === undefined ? undefined : locations.find(subtree, 'tree');
      if (blob === undefined) return new Map();
      const json = await repository.readBlob(blob);
      return new Map([...readTree(json, `tree ${blob.id}`)].map((node) => [node.name, entryOf(node)]));
    },
  };
}
