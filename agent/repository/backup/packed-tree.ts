/**
 * The tree of a large directory, packed: its text is needed twice, to be hashed and to be compressed as one blob, both piece by piece, and
 * never as a whole.
 */
import { releaseMemory } from '../../mover/release-memory.ts';
import { compress, decompress } from '../format/compress.ts';
import { treeEnd, treeStart } from '../format/tree.ts';
import type { PackedTree } from './backup-job.ts';

export interface PackedText {
  readonly packed: Uint8Array<ArrayBuffer>;
  /** Of the text. */
  readonly length: number;
}

/** The text's memory is given back. */
export function packText(text: Buffer): PackedText {
  const packed = compress(text, 1);
  const { length } = text;
  // Its own memory, to be handed to a thread, and no more than it needs.
  const own = new Uint8Array(new ArrayBuffer(packed.length));
  own.set(packed);
  releaseMemory(packed);
  releaseMemory(text);
  return { packed: own, length };
}

export const unpackText = ({ packed, length }: PackedText): Buffer =>
  decompress(packed, length, 'a directory in memory', 'Exactly');

/** @param texts of nodes; none is empty. Buffers lose their memory */
export function packedTree(texts: Iterable<Buffer | PackedText>): PackedTree {
  const nodes = Array.from(texts, (text) => ('packed' in text ? text : packText(text)));
  const commas = Math.max(0, nodes.length - 1);
  const length = nodes.reduce((sum, text) => sum + text.length, treeStart.length + commas + treeEnd.length);
  return { nodes, length };
}

/** The tree's JSON; each piece is valid until the next is asked for. */
export function* piecesOf({ nodes }: Pick<PackedTree, 'nodes'>): Generator<Buffer> {
  const comma = Buffer.from(',');
  yield Buffer.from(treeStart);
  for (const [at, text] of nodes.entries()) {
    if (at > 0) yield comma;
    const piece = unpackText(text);
    yield piece;
    releaseMemory(piece);
  }
  yield Buffer.from(treeEnd);
}
