/**
 * Where lists of changed blocks come in, as storage drivers keep them: what a device has had written to it since the parent restore point
 * was taken. Only that is read; for everything else the parent's blobs count. Where the parent does not fit (another size, cut anew
 * by another tool, blobs that are gone), all of a segment is read.
 */
import type { ByteString } from '../../mover/syscalls.ts';
import type { TreeTools } from '../backup/backup.ts';
import { claims } from '../backup/claims.ts';
import type { TreeNode } from '../format/tree.ts';
import type { Repository, StoredSnapshot } from '../repository.ts';
import { snapshotTrees } from '../restore/snapshot-trees.ts';
import { isDamage } from '../verify/read-document.ts';
import { blockBytes, fileOf, type Segment } from './device-layout.ts';

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Whole blocks of a segment, merged and in order. Pure. @param ranges in any order; what lies elsewhere is left out */
export function planReads({ offset, length }: ByteRange, ranges: readonly ByteRange[]): readonly ByteRange[] {
  const end = offset + length;
  const inside = ranges
    .map((range) => ({
      from: Math.max(offset, Math.floor(range.offset / blockBytes) * blockBytes),
      to: Math.min(end, Math.ceil((range.offset + range.length) / blockBytes) * blockBytes),
    }))
    .filter(({ from, to }) => from < to)
    .sort((left, right) => left.from - right.from);
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of inside) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged.map(({ from, to }) => ({ offset: from, length: to - from }));
}

/** By the number of their segment, so that a long list is gone through once. */
export function rangesBySegment(ranges: readonly ByteRange[], segmentBytes: number): ReadonlyMap<number, ByteRange[]> {
  const found = new Map<number, ByteRange[]>();
  for (const range of ranges) {
    const last = Math.floor((range.offset + Math.max(0, range.length - 1)) / segmentBytes);
    for (let number = Math.floor(range.offset / segmentBytes); number <= last; number++)
      found
        .set(number, found.get(number) ?? [])
        .get(number)
        ?.push(range);
  }
  return found;
}

export interface ParentDevice {
  /** Ids of a segment's blocks; undefined when all of it has to be read. */
  blocksOf(segment: Segment): Promise<readonly string[] | undefined>;
}

export async function parentDevice(
  repository: Repository,
  parent: StoredSnapshot,
  path: ByteString,
  { known }: Pick<TreeTools, 'known'>,
): Promise<ParentDevice> {
  const trees = snapshotTrees(repository, known.trees);
  const { has } = claims(known.tables);
  const nodesOf = async (tree: string): Promise<readonly TreeNode[]> => {
    try {
      return [...(await trees.nodes(tree))];
    } catch (error) {
      // What is lost of the parent is stored again.
      if (isDamage(error)) return [];
      throw error;
    }
  };
  let nodes = await nodesOf(parent.tree);
  for (const name of path.split('/').filter((part) => part !== '')) {
    const subtree = nodes.find((node) => node.name === name)?.subtree;
    nodes = subtree === undefined ? [] : await nodesOf(subtree);
  }
  const subtrees = new Map(nodes.map((node) => [node.name, node.subtree]));
  return {
    async blocksOf(segment) {
      const inner = subtrees.get(segment.name);
      if (inner === undefined) return undefined;
      const file = (await nodesOf(inner)).find(({ name }) => name === fileOf(segment));
      const isSame = file?.size === segment.length && file.content.length === Math.ceil(segment.length / blockBytes);
      return isSame && file.content.every((id) => has(Buffer.from(id, 'hex'), 'data')) ? file.content : undefined;
    },
  };
}
