/**
 * How contents are cut: files into segments of 4 MiB, segments into blocks of 16 KiB, both aligned to the file's start.
 * A block's hash is SHA-256 of its bytes; a segment's is SHA-256 over 0x01 and its blocks' hashes, so either side can derive it
 * from block hashes without reading again. The last block and segment are as long as the file leaves them.
 */
import { hash } from 'node:crypto';

export const blockBytes = 16 * 1024;
export const segmentBytes = 4 * 1024 * 1024;
export const hashBytes = 32;

export const segmentCount = (sizeBytes: number): number => Math.ceil(sizeBytes / segmentBytes);
export const segmentLength = (sizeBytes: number, segment: number): number =>
  Math.min(segmentBytes, sizeBytes - segment * segmentBytes);
export const blockCount = (lengthBytes: number): number => Math.ceil(lengthBytes / blockBytes);

export const zeroBlock = Buffer.alloc(blockBytes);
const segmentPrefix = Buffer.from([1]);
const wholeZeroBlockHash = sha256(zeroBlock);

/** One-shot SHA-256. */
export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/** @param blockHashes the hashes of all blocks of the segment, one after the other */
export function hashSegment(blockHashes: Uint8Array): Buffer {
  return sha256(Buffer.concat([segmentPrefix, blockHashes]));
}

export function hashZeroBlock(lengthBytes: number): Buffer {
  return lengthBytes === blockBytes ? wholeZeroBlockHash : sha256(zeroBlock.subarray(0, lengthBytes));
}

/** Remembers the hash of an all-zero segment by length; nearly all have the full length. */
export function zeroSegmentHashes(): (lengthBytes: number) => Buffer {
  const whole = computeZeroSegmentHash(segmentBytes);
  return (lengthBytes) => (lengthBytes === segmentBytes ? whole : computeZeroSegmentHash(lengthBytes));
}

function computeZeroSegmentHash(lengthBytes: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < lengthBytes; at += blockBytes) {
    blocks.push(hashZeroBlock(Math.min(blockBytes, lengthBytes - at)));
  }
  return hashSegment(Buffer.concat(blocks));
}
