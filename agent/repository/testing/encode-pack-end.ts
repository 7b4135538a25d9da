/** The end of a pack of chosen blobs, for tests: writers make it of the entries that they keep. */
import { type PackedBlob, sealPackEnd } from '../format/pack.ts';
import { compressedEntryBytes, writeEntry } from '../format/pack-entries.ts';
import type { RepositoryKey } from '../format/seal.ts';

export function encodePackEnd(key: RepositoryKey, blobs: readonly PackedBlob[], iv: Uint8Array): Buffer {
  const entries = Buffer.allocUnsafe(blobs.length * compressedEntryBytes);
  const length = blobs.reduce((at, blob) => writeEntry(entries, at, blob), 0);
  return sealPackEnd(key, entries.subarray(0, length), iv);
}
