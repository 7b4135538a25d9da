/**
 * Opens sealed blobs with the contexts and memory of small-libraries.ts. The checks are those of `unsealBlob`. Undefined where
 * there is no node:ffi, or Node was built without those symbols.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { PackedBlob } from './pack.ts';
import { ivBytes, macBytes, type RepositoryKey, sealOverheadBytes } from './seal.ts';
import { openLibraries, smallCipher, smallMac } from './small-libraries.ts';

export interface SmallBlobOpener {
  /**
   * The content, proven by MAC and id, until the next call. Undefined when it is too large for this, or not what it should be:
   * `unsealBlob` opens it then, or says what is wrong.
   */
  open(sealed: Uint8Array, blob: Pick<PackedBlob, 'id' | 'uncompressedLength'>): Buffer | undefined;
}

export function smallBlobOpener(key: RepositoryKey): SmallBlobOpener | undefined {
  try {
    return openerOf(key);
  } catch {
    return undefined;
  }
}

/** Most blobs of any writer. Only as much of the memory is ever touched as the largest blob of a thread needs. */
export const openLimitBytes = 4 * 1024 * 1024;
const sealedLimitBytes = openLimitBytes + sealOverheadBytes;

function openerOf(key: RepositoryKey): SmallBlobOpener | undefined {
  const libraries = openLibraries();
  const { calls, pinned } = libraries;
  const sealedPlace = pinned(sealedLimitBytes);
  const contentPlace = pinned(openLimitBytes);
  const macOf = smallMac(key, libraries, sealedPlace);
  const decipher = smallCipher(key, libraries, sealedPlace);
  const decompressor = calls.ZSTD_createDCtx();
  if (macOf === undefined || decipher === undefined || decompressor === 0n) return undefined;
  const bodyAt = sealedPlace.address + BigInt(ivBytes);
  const contentLimit = BigInt(openLimitBytes);
  return {
    open(sealed, { id, uncompressedLength }) {
      const length = sealed.length - sealOverheadBytes;
      if (length <= 0 || length > openLimitBytes || (uncompressedLength ?? 0) > openLimitBytes) return undefined;
      // Memory that somebody released has no bytes any more, and its address leads nowhere.
      if (sealedPlace.bytes.length === 0 || contentPlace.bytes.length === 0) return undefined;
      sealedPlace.bytes.set(sealed, 0);
      const mac = macOf(length);
      const wanted = sealedPlace.bytes.subarray(ivBytes + length, ivBytes + length + macBytes);
      if (mac === undefined || !timingSafeEqual(mac, wanted) || !decipher(length)) return undefined;
      let content = sealedPlace.bytes.subarray(ivBytes, ivBytes + length);
      if (uncompressedLength !== undefined) {
        const { address, bytes } = contentPlace;
        const made = calls.ZSTD_decompressDCtx(decompressor, address, contentLimit, bodyAt, BigInt(length));
        // Error codes are larger than any length.
        if (made !== BigInt(uncompressedLength)) return undefined;
        content = bytes.subarray(0, uncompressedLength);
      }
      return hash('sha256', content, 'hex') === id ? content : undefined;
    },
  };
}
