/**
 * What the parent snapshot has of a directory, handed on in the order of its names beside the walk, so that unchanged files are neither
 * opened nor written about again. Nodes stay the bytes they are until a thread compares them.
 */
import type { ByteString } from '../../mover/syscalls.ts';
import type { BlobLocations } from '../blob-locations.ts';
import { unquoteName } from '../format/go-name.ts';
import { assertId } from '../format/object-id.ts';
import { jsonReader, readJson } from '../format/read-json.ts';
import { nodeRanges, parseNode } from '../format/split-nodes.ts';
import { treeEnd, treeStart } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import type { ParentNodes } from './backup-job.ts';

/** Asked once for each step of a directory, then for the directories in it, both in the order of names. */
export interface ParentTree {
  /** For the only step: all there is. */
  all(hasDirectories: boolean): ParentNodes | undefined;
  /** For one of several steps: what comes up to this name. */
  upTo(last: ByteString): ParentNodes | undefined;
  subtreeOf(name: ByteString): string | undefined;
}

export interface ParentTrees {
  /** Of a subtree's id; empty for undefined, and for a tree that no index names: then everything is read again. */
  open(subtree: string | undefined): Promise<ParentTree>;
}

const noTree: ParentTree = { all: () => undefined, upTo: () => undefined, subtreeOf: () => undefined };

export function parentTrees(repository: Repository, locations: BlobLocations): ParentTrees {
  return {
    async open(subtree) {
      const blob = subtree === undefined ? undefined : locations.find(subtree, 'tree');
      return blob === undefined ? noTree : parentTree(blob.id, await repository.readBlob(blob));
    },
  };
}

/** Whatever a writer takes for no nodes. */
const emptyTreeBytes = 32;

interface Subtree {
  readonly name: ByteString;
  readonly id: string;
}

export function parentTree(tree: string, json: Buffer): ParentTree {
  const about = `tree ${tree}`;
  const subtrees: Subtree[] = [];
  let looked = 0;
  const noteSubtree = (node: unknown): ByteString => {
    const read = jsonReader(node, about);
    const name = unquoteName(read.text('name', 4096), about);
    const id = read.optionalText('subtree', 64);
    if (id !== undefined && read.text('type', 16) === 'dir') subtrees.push({ name, id: assertId(id, about) });
    return name;
  };
  let ranges: ReturnType<typeof nodeRanges> | undefined;
  let next: { readonly from: number; readonly to: number; readonly name: ByteString } | undefined;
  const step = () => {
    ranges ??= nodeRanges(json, about);
    const found = json.length < emptyTreeBytes ? undefined : ranges.next();
    if (found === undefined || found.done === true) next = undefined;
    else {
      const { from, to } = found.value;
      next = { from, to, name: noteSubtree(parseNode(json.toString('utf8', from, to), about)) };
    }
  };
  return {
    all(hasDirectories) {
      if (hasDirectories) for (const node of readJson(json, about).list('nodes')) noteSubtree(node);
      return { json: ownBytes(json), tree };
    },
    upTo(last) {
      if (ranges === undefined) step();
      const from = next?.from ?? 0;
      let to = from;
      for (; next !== undefined && next.name <= last; step()) to = next.to;
      if (to === from) return undefined;
      const some = Buffer.from(`${treeStart}${json.toString('latin1', from, to)}${treeEnd}`, 'latin1');
      return { json: ownBytes(some), tree: undefined };
    },
    subtreeOf(name) {
      while (looked < subtrees.length && (subtrees[looked]?.name ?? '') < name) looked++;
      const found = subtrees[looked];
      return found?.name === name ? found.id : undefined;
    },
  };
}

/** To be handed to a thread: not a part of Node's pool, nor of anything else. */
function ownBytes(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const own = new Uint8Array(new ArrayBuffer(bytes.length));
  own.set(bytes);
  return own;
}
