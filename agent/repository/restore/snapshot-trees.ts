/** Reads a snapshot's trees: nodes of a directory, the node at a path. */
import type { ByteString } from '../../mover/syscalls.ts';
import type { BlobLocations } from '../blob-locations.ts';
import { sealOverheadBytes } from '../format/seal.ts';
import type { TreeNode } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import { failDamaged, failRepository } from '../repository-error.ts';
import { treeNodes } from '../tree-blob.ts';
import { withTreeWindows } from '../tree-windows.ts';
import type { Piece } from './restore-job.ts';

export interface SnapshotTrees {
  /** Throws `RepositoryDamaged`, `ObjectMissing`, … */
  nodes(tree: string): Promise<Iterable<TreeNode>>;
  /** Undefined when the path is '' or `/`: the root has no node. Throws `PathMissing`. */
  find(tree: string, path: ByteString): Promise<TreeNode | undefined>;
  /** A file's blobs with their sizes; those that no index knows count as nothing. */
  pieces(node: TreeNode): readonly Piece[];
}

/** What reading of a snapshot takes. */
export interface SnapshotTools {
  readonly repository: Repository;
  readonly locations: BlobLocations;
  readonly trees: SnapshotTrees;
  readonly signal?: AbortSignal | undefined;
}

export function snapshotTrees(repository: Repository, locations: BlobLocations, signal?: AbortSignal): SnapshotTrees {
  const windowed = withTreeWindows(repository, locations);
  const nodes = async (tree: string): Promise<Iterable<TreeNode>> => {
    const blob = locations.find(tree, 'tree');
    if (blob === undefined) return failDamaged('No index names a tree', `tree blob ${tree}`);
    return await treeNodes(windowed, blob, signal);
  };
  return {
    nodes,
    async find(tree, path) {
      let node: TreeNode | undefined;
      let subtree: string | undefined = tree;
      for (const name of path.split('/').filter((part) => part !== '')) {
        node = subtree === undefined ? undefined : findNamed(await nodes(subtree), name);
        if (node === undefined)
          failRepository(
            'PathMissing',
            `The snapshot has no ${Buffer.from(path, 'latin1').toString()}`,
            Buffer.from(path, 'latin1').toString(),
            'List what it has with `stork-agent browse`.',
          );
        subtree = node.subtree;
      }
      return node;
    },
    pieces: (node) =>
      node.content.map((id) => {
        const blob = locations.find(id, 'data');
        return { id, length: blob === undefined ? 0 : contentLength(blob) };
      }),
  };
}

function findNamed(nodes: Iterable<TreeNode>, name: ByteString): TreeNode | undefined {
  for (const node of nodes) if (node.name === name) return node;
  return undefined;
}

/** How many bytes a stored blob's content has. */
export const contentLength = (blob: {
  readonly length: number;
  readonly uncompressedLength: number | undefined;
}): number => blob.uncompressedLength ?? blob.length - sealOverheadBytes;
