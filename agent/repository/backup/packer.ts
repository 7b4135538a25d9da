/** Collects sealed blobs of one type into packs; a thread has one for data and one for trees. */

import type { BlobType } from '../format/pack.ts';
import { type BlobList, packEndBytes, type SealedBlob, sealPackEnd } from '../format/pack.ts';
import { blobsOfEntries, compressedEntryBytes, writeEntry } from '../format/pack-entries.ts';
import type { RepositoryKey } from '../format/seal.ts';

export interface FinishedPack {
  /** The whole pack at the beginning of its own ArrayBuffer, which may be larger. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly blobs: BlobList;
  /** The same as entries of the pack's header, in memory of their own. */
  readonly entries: Uint8Array<ArrayBuffer>;
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
const firstEntriesBytes = 16 * 1024;
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
  let count = 0;
  /** Of the header: objects would take several times as much, in memory that garbage is looked for in. */
  let entries = Buffer.alloc(0);
  let entriesEnd = 0;
  let bytes = new Uint8Array(new ArrayBuffer(0));
  let offset = 0;
  /** Blobs go to their places at once: to collect them first would need the memory twice. */
  const makeRoom = (needed: number) => {
    if (needed <= bytes.length) return;
    const larger = new Uint8Array(takeBuffer(Math.max(needed, Math.min(2 * bytes.length, packBufferBytes))));
    larger.set(bytes.subarray(0, offset));
    bytes = larger;
  };
  const addEntry = (id: string, length: number, uncompressedLength: number | undefined) => {
    if (entriesEnd + compressedEntryBytes > entries.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(firstEntriesBytes, 2 * entries.length));
      larger.set(entries.subarray(0, entriesEnd));
      entries = larger;
    }
    entriesEnd = writeEntry(entries, entriesEnd, { id, type, length, uncompressedLength });
    count++;
  };
  const finish = (): FinishedPack => {
    const own = new Uint8Array(entries.subarray(0, entriesEnd));
    const end = sealPackEnd(key, own, newIv());
    makeRoom(offset + end.length);
    bytes.set(end, offset);
    const blobs = blobsOfEntries(own, count);
    const pack = { bytes: bytes.subarray(0, offset + end.length), blobs, entries: own };
    count = 0;
    entriesEnd = 0;
    bytes = new Uint8Array(new ArrayBuffer(0));
    offset = 0;
    return pack;
  };
  return {
    add(id, { sealed, uncompressedLength }) {
      makeRoom(offset + sealed.length + packEndBytes(count + 1));
      addEntry(id, sealed.length, uncompressedLength);
      bytes.set(sealed, offset);
      offset += sealed.length;
    },
    takeFull: () => (offset >= packTargetBytes || count >= blobsPerPack ? finish() : undefined),
    takeRest: () => (count > 0 ? finish() : undefined),
  };
}
