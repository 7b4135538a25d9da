/** Collects sealed blobs of one type into packs; a thread has one for data and one for trees. */

import type { BlobType } from '../format/pack.ts';
import { encodePackEnd, type PackedBlob, packEndBytes, type SealedBlob } from '../format/pack.ts';
import type { RepositoryKey } from '../format/seal.ts';

export interface FinishedPack {
  /** The whole pack at the beginning of its own ArrayBuffer, which may be larger. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly blobs: readonly PackedBlob[];
}

export interface Packer {
  add(id: string, blob: SealedBlob): void;
  /** The pack when it is full; undefined otherwise. */
  takeFull(): FinishedPack | undefined;
  /** What there is; undefined when that is nothing. */
  takeRest(): FinishedPack | undefined;
}

/** As restic's default. */
export const packTargetBytes = 16 * 1024 * 1024;
/** restic's own limit: more blobs make the header needlessly large. */
const blobsPerPack = 30_000;

export interface PackerOptions {
  readonly type: BlobType;
  readonly key: RepositoryKey;
  readonly newIv: () => Uint8Array;
  /** Used buffers come back through this, so that memory stays where it is. At least so many bytes. */
  readonly takeBuffer: (bytes: number) => ArrayBuffer;
}

/** How many bytes a full pack, its last blob, and its header mostly take. */
export const packBufferBytes = 18 * 1024 * 1024;

export function createPacker({ type, key, newIv, takeBuffer }: PackerOptions): Packer {
  let blobs: PackedBlob[] = [];
  let bytes = new Uint8Array(new ArrayBuffer(0));
  let offset = 0;
  /** Blobs go to their places at once: to collect them first would need the memory twice. */
  const makeRoom = (needed: number) => {
    if (needed <= bytes.length) return;
    const larger = new Uint8Array(takeBuffer(Math.max(needed, Math.min(2 * bytes.length, packBufferBytes))));
    larger.set(bytes.subarray(0, offset));
    bytes = larger;
  };
  const finish = (): FinishedPack => {
    const end = encodePackEnd(key, blobs, newIv());
    makeRoom(offset + end.length);
    bytes.set(end, offset);
    const pack = { bytes: bytes.subarray(0, offset + end.length), blobs };
    blobs = [];
    bytes = new Uint8Array(new ArrayBuffer(0));
    offset = 0;
    return pack;
  };
  return {
    add(id, { sealed, uncompressedLength }) {
      makeRoom(offset + sealed.length + packEndBytes(blobs.length + 1));
      blobs.push({ id, type, offset, length: sealed.length, uncompressedLength });
      bytes.set(sealed, offset);
      offset += sealed.length;
    },
    takeFull: () => (offset >= packTargetBytes || blobs.length >= blobsPerPack ? finish() : undefined),
    takeRest: () => (blobs.length > 0 ? finish() : undefined),
  };
}
