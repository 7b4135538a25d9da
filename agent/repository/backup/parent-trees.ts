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
import { openLarge } from '../tree-blob.ts';
import { withTreeWindows } from '../tree-windows.ts';
import type { ParentNodes } from './backup-job.ts';
import { nameQueue } from './name-queue.ts';
import { emptyTreeBytes } from './parent-nodes.ts';

/** Asked once for each step of a directory, then for the directories in it, both in the order of names. */
export interface ParentTree {
  /** For the only step: all there is, or what has these names. Nothing else may be asked for afterwards but `subtreeOf`. */
  all(names: readonly ByteString[], hasDirectories: boolean): ParentNodes | undefined;
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
  const windowed = withTreeWindows(repository, locations);
  return {
    async open(subtree) {
      const blob = subtree === undefined ? undefined : locations.find(subtree, 'tree');
      if (blob === undefined) return noTree;
      const large = await openLarge(repository, blob);
      return large === undefined
        ? parentTree(blob.id, await windowed.readBlob(blob))
        : largeParentTree(`tree ${blob.id}`, large);
    },
  };
}

export function parentTree(tree: string, json: Buffer): ParentTree {
  const about = `tree ${tree}`;
  const subtrees = subtreesInOrder(about);
  const steps = nodesInSteps(json.length < emptyTreeBytes ? [] : textsOf(json, about), subtrees, about);
  return {
    all(_, hasDirectories) {
      if (hasDirectories) for (const node of readJson(json, about).list('nodes')) subtrees.note(node);
      return { json: ownBytes(json), tree };
    },
    upTo: (last) => steps.take(last, undefined),
    subtreeOf: subtrees.find,
  };
}

/** Of a directory that may have far more entries than threads have memory for: only what is asked for is handed on. */
export function largeParentTree(about: string, texts: Iterable<Buffer>): ParentTree {
  const subtrees = subtreesInOrder(about);
  const steps = nodesInSteps(texts, subtrees, about);
  return {
    all: (names) => steps.take(undefined, new Set(names)),
    upTo: (last) => steps.take(last, undefined),
    subtreeOf: subtrees.find,
  };
}

function* textsOf(json: Buffer, about: string): Generator<Buffer> {
  for (const { from, to } of nodeRanges(json, about)) yield json.subarray(from, to);
}

function nodesInSteps(texts: Iterable<Buffer>, subtrees: ReturnType<typeof subtreesInOrder>, about: string) {
  const nodes = texts[Symbol.iterator]();
  let next: { readonly text: Buffer; readonly name: ByteString } | undefined;
  let hasBegun = false;
  const step = () => {
    hasBegun = true;
    const found = nodes.next();
    // A text is valid until the next is asked for.
    next = found.done === true ? undefined : { text: found.value, name: subtrees.note(parseNode(found.value, about)) };
  };
  return {
    /** @param last the last name to take, all when undefined; of these, those that are `wanted` */
    take(last: ByteString | undefined, wanted: ReadonlySet<ByteString> | undefined): ParentNodes | undefined {
      if (!hasBegun) step();
      const taken: string[] = [];
      for (; next !== undefined && (last === undefined || next.name <= last); step())
        if (wanted?.has(next.name) !== false) taken.push(next.text.toString('latin1'));
      if (taken.length === 0) return undefined;
      const some = Buffer.from(`${treeStart}${taken.join()}${treeEnd}`, 'latin1');
      return { json: ownBytes(some), tree: undefined };
    },
  };
}

function subtreesInOrder(about: string) {
  const subtrees = nameQueue();
  return {
    /** The node's name. */
    note(node: unknown): ByteString {
      const read = jsonReader(node, about);
      const name = unquoteName(read.text('name', 4096), about);
      const id = read.optionalText('subtree', 64);
      const isDirectory = id !== undefined && read.text('type', 16) === 'dir';
      // No name that is walked has a slash.
      if (isDirectory && !name.includes('/')) subtrees.push({ name, word: assertId(id, about) });
      return name;
    },
    /** Names must be asked for in order. */
    find(name: ByteString): string | undefined {
      while ((subtrees.first()?.name ?? name) < name) subtrees.shift();
      const found = subtrees.first();
      return found?.name === name ? found.word : undefined;
    },
  };
}

/** To be handed to a thread: not a part of Node's pool, nor of anything else. */
function ownBytes(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, length } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) return new Uint8Array(buffer);
  const own = new Uint8Array(new ArrayBuffer(bytes.length));
  own.set(bytes);
  return own;
}
