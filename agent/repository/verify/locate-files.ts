/** Which files of which restore points a damage concerns. Only run when there is some: it may read each tree once more. */
import type { BlobLocations } from '../blob-locations.ts';
import type { TreeNode } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import { treeNodes } from '../tree-blob.ts';
import { type BlobSet, blobSet } from './blob-set.ts';
import type { AffectedFile, AffectedFiles } from './finding.ts';
import { isDamage } from './read-document.ts';
import type { Roots } from './read-roots.ts';

export interface LocateOptions {
  readonly repository: Repository;
  /** Of blobs that can be had. */
  readonly locations: BlobLocations;
  readonly roots: Roots;
  /** The objects that a blob was in. */
  readonly objectsOf: (blob: string, type: 'data' | 'tree') => readonly string[];
  readonly signal?: AbortSignal | undefined;
  /** Told of each, of which no more than `listedAtMost` are kept. */
  readonly onAffected?: ((file: AffectedFile) => void) | undefined;
}

const listedAtMost = 1000;

export async function locateFiles(options: LocateOptions): Promise<AffectedFiles> {
  const { roots } = options;
  const whole = blobSet();
  const affected: AffectedFile[] = [];
  let affectedCount = 0;
  const add = (file: AffectedFile): void => {
    affectedCount++;
    if (affected.length < listedAtMost) affected.push(file);
    options.onAffected?.(file);
  };
  for (const { id, tree } of roots.snapshots) await search(options, whole, `snapshots/${id}`, tree, add);
  for (const { name, trees } of roots.manifests)
    for (const tree of trees) await search(options, whole, name, tree, add);
  return { affected, affectedCount };
}

/** @param whole trees without any damage below; grows */
async function search(
  options: LocateOptions,
  whole: BlobSet,
  restorePoint: string,
  root: string,
  add: (file: AffectedFile) => void,
): Promise<void> {
  const { objectsOf, signal } = options;
  const visit = async (tree: string, path: string): Promise<boolean> => {
    signal?.throwIfAborted();
    if (whole.has(tree, 'tree')) return true;
    const nodes = await nodesOf(options, tree);
    if (nodes === undefined) {
      add({ restorePoint, path: path || '/', type: 'dir', objects: objectsOf(tree, 'tree') });
      return false;
    }
    let isWhole = true;
    for (const { name, subtree, lost } of nodes) {
      const below = `${path}/${name}`;
      if (subtree !== undefined) {
        if (!(await visit(subtree, below))) isWhole = false;
        continue;
      }
      isWhole = false;
      const objects = [...new Set(lost.flatMap((blob) => objectsOf(blob, 'data')))];
      add({ restorePoint, path: below, type: 'file', objects });
    }
    if (isWhole) whole.add(tree, 'tree');
    return isWhole;
  };
  await visit(root, '');
}

interface FoundNode extends Pick<TreeNode, 'name' | 'subtree'> {
  readonly lost: readonly string[];
}

/** The directories of a tree and what lost something; undefined when the tree itself is lost. */
async function nodesOf(
  { repository, locations, signal }: LocateOptions,
  tree: string,
): Promise<readonly FoundNode[] | undefined> {
  const blob = locations.find(tree, 'tree');
  if (blob === undefined) return undefined;
  const found: FoundNode[] = [];
  try {
    for (const { name, subtree, content } of await treeNodes(repository, blob, signal)) {
      const lost = content.filter((one) => locations.find(one, 'data') === undefined);
      if (subtree !== undefined || lost.length > 0) found.push({ name, subtree, lost });
    }
    return found;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}
