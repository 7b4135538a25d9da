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
  /** Used buffers come back through this, so that memory stays where it is. */
  readonly takeBuffer: (bytes: number) => ArrayBuffer;
}

export function createPacker({ type, key, newIv, takeBuffer }: PackerOptions): Packer {
  let parts: Buffer[] = [];
  let blobs: PackedBlob[] = [];
  let offset = 0;
  const finish = (): FinishedPack => {
    const end = encodePackEnd(key, blobs, newIv());
    const bytes = new Uint8Array(takeBuffer(offset + packEndBytes(blobs.length)), 0, offset + end.length);
    let at = 0;
    for (const part of [...parts, end]) {
      bytes.set(part, at);
      at += part.length;
    }
    const pack = { bytes, blobs };
    parts = [];
    blobs = [];
    offset = 0;
    return pack;
  };
  return {
    add(id, { sealed, uncompressedLength }) {
      blobs.push({ id, type, offset, length: sealed.length, uncompressedLength });
      parts.push(sealed);
      offset += sealed.length;
    },
    takeFull: () => (offset >= packTargetBytes || blobs.length >= blobsPerPack ? finish() : undefined),
    takeRest: () => (blobs.length > 0 ? finish() : undefined),
  };
}
