/** Gathers the blocks that must travel into one payload, and gives them back: compressed where a probe says it helps. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { blockTag, type RunKey, tagBytes } from './content-hash.ts';
import { blockStates, type Pack, type PackPart, uniformStates } from './job.ts';
import { blockBytes, segmentBytes } from './layout.ts';
import { fail } from './mover-error.ts';
import { releaseMemory } from './release-memory.ts';
import type { ReadSegment } from './segment-reader.ts';

/** A pack holds at most one segment's worth of raw bytes. */
export const packLimitBytes = segmentBytes;
const compressionLevel = 1;
const probeBytes = 32 * 1024;
const worthwhileRatio = 0.9;
/** Of zlib's output buffers. */
const smallestChunkBytes = 64;

export interface PackedSegment extends Pick<ReadSegment, 'bytes' | 'hash' | 'zeros'> {
  /** Of its blocks, where they are known already. */
  readonly tags?: Uint8Array | undefined;
}

export interface Packer {
  /** @param own the tags of the receiver's blocks: equal blocks stay at home */
  add(at: number, segment: PackedSegment, own: Uint8Array | undefined): void;
  finish(): Pack;
}

/** @param raw where blocks are gathered, `packLimitBytes` long; free again after `finish` */
export function packer(raw: Buffer, key: RunKey): Packer {
  const parts: PackPart[] = [];
  let rawLength = 0;
  return {
    add(at, { bytes, hash, zeros, tags }, own) {
      const rawOffset = rawLength;
      const states = new Uint8Array(zeros.length);
      for (let block = 0; block < zeros.length; block++) {
        const end = Math.min(bytes.length, (block + 1) * blockBytes);
        const tagOf = () =>
          tags?.subarray(block * tagBytes, (block + 1) * tagBytes) ??
          blockTag(key, bytes.subarray(block * blockBytes, end));
        const isSame = own !== undefined && isTagged(own, block, tagOf);
        states[block] = stateOf(isSame, zeros[block] === 1);
        if (states[block] !== blockStates.sent) continue;
        rawLength += bytes.copy(raw, rawLength, block * blockBytes, end);
      }
      const sentTag = states.includes(blockStates.same) ? blockTag(key, raw.subarray(rawOffset, rawLength)) : undefined;
      parts.push({ at, hash, states: sharedStates(states), rawOffset, sentTag });
    },
    finish() {
      const gathered = raw.subarray(0, rawLength);
      const packed = compressIfWorthwhile(gathered);
      return { parts, rawLength, payload: packed ?? ownCopy(gathered), compressed: packed !== undefined };
    },
  };
}

/** The raw bytes of a payload; throws ProtocolError when it isn't what it says. */
export function unpack(payload: Uint8Array, compressed: boolean, rawLength: number): Buffer {
  if (rawLength > packLimitBytes) fail('ProtocolError', 'A pack is larger than a segment');
  if (!compressed) {
    if (payload.length !== rawLength) fail('ProtocolError', 'A pack has not the length it says');
    return Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  }
  // One byte more than fits, so that all of it comes in one piece.
  const raw = zstdDecompressSync(payload, {
    chunkSize: Math.max(smallestChunkBytes, rawLength + 1),
    maxOutputLength: Math.max(1, rawLength),
  });
  if (raw.length !== rawLength) fail('ProtocolError', 'A pack has not the length it says');
  return raw;
}

function sharedStates(states: Uint8Array): Uint8Array {
  const [first] = states;
  return first !== undefined && states.every((state) => state === first) ? uniformStates(states.length, first) : states;
}

function stateOf(isSame: boolean, isZero: boolean): number {
  if (isSame) return blockStates.same;
  return isZero ? blockStates.zero : blockStates.sent;
}

function isTagged(own: Uint8Array, block: number, tagOf: () => Uint8Array): boolean {
  const theirs = own.subarray(block * tagBytes, (block + 1) * tagBytes);
  return theirs.length === tagBytes && Buffer.compare(tagOf(), theirs) === 0;
}

function compressIfWorthwhile(raw: Buffer): Buffer | undefined {
  if (raw.length < 128) return undefined;
  if (raw.length > 4 * probeBytes) {
    const middle = Math.floor(raw.length / 2);
    const probe = raw.subarray(middle, middle + probeBytes);
    if (compress(probe).length > probe.length * worthwhileRatio) return undefined;
  }
  const packed = compress(raw);
  const kept = packed.length < raw.length * worthwhileRatio ? ownCopy(packed) : undefined;
  releaseMemory(packed);
  return kept;
}

/** A copy that has its memory for itself, so that it can move between threads. */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

function compress(raw: Buffer): Buffer {
  return zstdCompressSync(raw, {
    chunkSize: Math.max(1024, raw.length + 1024),
    params: { [constants.ZSTD_c_compressionLevel]: compressionLevel },
  });
}
