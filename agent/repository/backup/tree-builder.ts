/** Puts directories together while their entries come in, and tells when one is complete. */
import type { ByteString } from '../../mover/syscalls.ts';
import { treeEnd, treeStart, withContent, withSubtree } from '../format/tree.ts';

/** The text of an entry, or of some with commas between them, now, or when what it lacks is known; undefined leaves it out. */
export type EntryText = string | Promise<string | undefined> | undefined;

export interface OpenTree {
  add(text: EntryText): void;
  /** A directory in it: its head, whose subtree `closeDirectory` tells before or after. */
  addDirectory(name: ByteString, head: string): void;
  /** Its subtree; undefined when it could not be read and is left out. */
  closeDirectory(name: ByteString, subtree: Promise<string | undefined>): void;
  /** The whole tree, once everything that was added is known; every directory must have been closed. */
  finish(): Promise<Buffer<ArrayBuffer>>;
}

/** Texts of so many characters are joined: a buffer is smaller than many strings. */
const joinAt = 128 * 1024;
/**
 * What texts of a large tree are gathered in: the system takes memory of this size back at once when it is freed, as each is while the
 * whole is made of them. What is not written to is not taken.
 */
const slabBytes = 36 * 1024 * 1024;
const slabsFromBytes = 4 * 1024 * 1024;

export function openTree(): OpenTree {
  const parts: (Buffer | EntryText)[] = [];
  const gather = gatherer();
  let recent: string[] = [];
  let recentLength = 0;
  const subtrees = new Map<ByteString, PromiseWithResolvers<string | undefined>>();
  const subtreeOf = (name: ByteString) => {
    const known = subtrees.get(name) ?? Promise.withResolvers<string | undefined>();
    subtrees.set(name, known);
    return known;
  };
  const join = () => {
    if (recent.length > 0) parts.push(gather(Buffer.from(recent.join(','))));
    recent = [];
    recentLength = 0;
  };
  const add = (text: EntryText) => {
    if (typeof text === 'string') {
      recent.push(text);
      recentLength += text.length;
      if (recentLength >= joinAt) join();
    } else if (text !== undefined) {
      join();
      // Who awaits it sees its failure; until then nobody does.
      text.catch(() => undefined);
      parts.push(text);
    }
  };
  return {
    add,
    addDirectory(name, head) {
      add(subtreeOf(name).promise.then((id) => (id === undefined ? undefined : withSubtree(head, id))));
    },
    closeDirectory(name, subtree) {
      const { resolve, reject, promise } = subtreeOf(name);
      promise.catch(() => undefined);
      subtree.then(resolve, reject);
    },
    async finish() {
      join();
      const texts: Buffer[] = [];
      for (const part of parts) {
        const text = await part;
        if (text !== undefined) texts.push(typeof text === 'string' ? Buffer.from(text) : text);
      }
      return joinTree(texts);
    },
  };
}

/** Moves what comes after the first few MiB into slabs. */
function gatherer() {
  let bytes = 0;
  let slab = Buffer.alloc(0);
  return (text: Buffer): Buffer => {
    bytes += text.length;
    if (bytes <= slabsFromBytes || text.length > slabBytes) return text;
    if (text.length > slab.length) slab = Buffer.from(new ArrayBuffer(slabBytes));
    const kept = slab.subarray(0, text.copy(slab));
    slab = slab.subarray(text.length);
    return kept;
  };
}

/** @param nodes their texts with commas between them */
export const treeOf = (nodes: string): Buffer<ArrayBuffer> => joinTree(nodes === '' ? [] : [Buffer.from(nodes)]);

const isSlab = (buffer: ArrayBufferLike): buffer is ArrayBuffer =>
  buffer instanceof ArrayBuffer && buffer.byteLength === slabBytes;

function joinTree(texts: readonly Buffer[]): Buffer<ArrayBuffer> {
  const commas = Math.max(0, texts.length - 1);
  const size = texts.reduce((sum, { length }) => sum + length, treeStart.length + commas + treeEnd.length);
  const tree = Buffer.from(new ArrayBuffer(size));
  let at = tree.write(treeStart, 0);
  let slab: ArrayBuffer | undefined;
  for (const [number, text] of texts.entries()) {
    if (number > 0) at += tree.write(',', at);
    if (text.buffer !== slab && isSlab(text.buffer)) {
      // They were filled one after the other: nothing of the one before is left.
      slab?.transfer(0);
      slab = text.buffer;
    }
    at += text.copy(tree, at);
  }
  slab?.transfer(0);
  tree.write(treeEnd, at);
  return tree;
}

export const fileText = (head: string, ids: readonly string[]): string => withContent(head, ids);
