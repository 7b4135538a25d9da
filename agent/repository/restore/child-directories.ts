/**
 * The directories in a directory, gone through when all other names of it have been seen. The nodes of a few are kept; of more, whose nodes
 * would take a kilobyte each, the tree is read once more.
 */
import type { TreeNode } from '../format/tree.ts';

export interface ChildDirectories {
  /** Once for each, in order, before `all`. */
  add(node: TreeNode): void;
  all(): AsyncGenerator<TreeNode>;
}

const keptAtMost = 1024;

/** @param again all nodes of the tree, as far as they can be read */
export function childDirectories(again: () => Promise<Iterable<TreeNode>>): ChildDirectories {
  const kept: TreeNode[] = [];
  let count = 0;
  return {
    add(node) {
      count++;
      if (count <= keptAtMost) kept.push(node);
      else kept.length = 0;
    },
    async *all() {
      if (count <= keptAtMost) yield* kept;
      else for (const node of await again()) if (node.type === 'dir') yield node;
    },
  };
}
