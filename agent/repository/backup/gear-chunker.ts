/**
 * Content-defined chunking with a gear hash and normalized cut conditions (FastCDC, Xia et al., USENIX ATC 2016): an insertion moves
 * the cuts around it only. The table derives from the repository's key, so that sizes tell nothing about known content.
 */
import { hkdfSync } from 'node:crypto';

export interface ChunkSizes {
  readonly min: number;
  readonly average: number;
  readonly max: number;
}

export const fileChunks: ChunkSizes = { min: 512 * 1024, average: 1024 * 1024, max: 8 * 1024 * 1024 };

export function gearTable(key: Uint8Array): Uint32Array {
  const bytes = Buffer.from(hkdfSync('sha256', key, '', 'stork gear table 1', 256 * 4));
  return Uint32Array.from({ length: 256 }, (_, at) => bytes.readUInt32LE(at * 4));
}

/** Bits of the average's logarithm that a cut asks for: two more before the average, two fewer after it. */
const normalization = 2;

/**
 * Where the first chunk of these bytes ends.
 * @returns its length; `bytes.length` when no cut lies within
 */
export function cutAfter(bytes: Uint8Array, table: Uint32Array, { min, average, max }: ChunkSizes): number {
  const end = Math.min(bytes.length, max);
  if (end <= min) return end;
  const bits = Math.round(Math.log2(average));
  const strict = highBits(bits + normalization);
  const easy = highBits(bits - normalization);
  const turn = Math.min(average, end);
  let hash = 0;
  let at = min;
  // The window is 32 bytes, one for each bit: begin so far before the first possible cut.
  for (let before = Math.max(0, min - 32); before < min; before++)
    hash = ((hash << 1) + (table[bytes[before] as number] as number)) | 0;
  for (; at < turn; at++) {
    hash = ((hash << 1) + (table[bytes[at] as number] as number)) | 0;
    if ((hash & strict) === 0) return at + 1;
  }
  for (; at < end; at++) {
    hash = ((hash << 1) + (table[bytes[at] as number] as number)) | 0;
    if ((hash & easy) === 0) return at + 1;
  }
  return end;
}

/** The upper bits have seen the most bytes. */
const highBits = (count: number): number => (-1 << (32 - count)) | 0;
