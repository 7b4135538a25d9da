/** Visits every tree that is reachable from some roots, each once, several at a time, deepest first so that little waits. */
import type { BlobLocation, BlobLocations } from '../blob-locations.ts';
import type { TreeNode } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import { treeNodes } from '../tree-blob.ts';
import type { BlobSet } from './blob-set.ts';
import { isDamage, isMissing } from './read-document.ts';

export interface TreeVisitor {
  /** Every node of every tree, each tree's together. */
  node(node: TreeNode, tree: string): void;
  /** A tree that no index names, or whose bytes can't be used. */
  lost(tree: string, reason: string): void;
}

export interface TreeWalk {
  readonly repository: Repository;
  readonly locations: BlobLocations;
  readonly roots: readonly string[];
  /** Trees in it are not visited; visited ones are added. */
  readonly seen: BlobSet;
  readonly visitor: TreeVisitor;
  readonly signal?: AbortSignal | undefined;
}

const treesAtOnce = 8;
const attempts = 3;

export async function walkTrees({ repository, locations, roots, seen, visitor, signal }: TreeWalk): Promise<void> {
  const waiting: string[] = [];
  const queue = (tree: string) => {
    if (seen.add(tree, 'tree')) waiting.push(tree);
  };
  for (const root of roots) queue(root);
  const visit = async (tree: string) => {
    const blob = locations.find(tree, 'tree');
    if (blob === undefined) return visitor.lost(tree, 'no index names it');
    try {
      for (const node of await readAgain(repository, blob, signal)) {
        visitor.node(node, tree);
        if (node.subtree !== undefined) queue(node.subtree);
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      visitor.lost(tree, error.message);
    }
  };
  const working = new Set<Promise<void>>();
  const failures: unknown[] = [];
  while (failures.length === 0 && (waiting.length > 0 || working.size > 0)) {
    const tree = working.size < treesAtOnce ? waiting.pop() : undefined;
    if (tree === undefined) await Promise.race(working);
    else {
      const one: Promise<void> = visit(tree)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => working.delete(one));
      working.add(one);
    }
    if (signal?.aborted) failures.push(signal.reason);
  }
  await Promise.all(working);
  if (failures.length > 0) throw failures[0];
}

/** Bytes may be hurt on their way: only what is wrong each time is wrong in the store. */
async function readAgain(repository: Repository, blob: BlobLocation, signal: AbortSignal | undefined) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await treeNodes(repository, blob, signal);
    } catch (error) {
      if (!isDamage(error) || isMissing(error) || attempt === attempts) throw error;
    }
  }
}
