/**
 * Seals small blobs with the contexts and memory of small-libraries.ts: what comes out opens as what `sealBlob` makes. Undefined where
 * there is no node:ffi, or Node was built without those symbols.
 */
import type { CompressionLevel } from './compress.ts';
import type { SealedBlob } from './pack.ts';
import { ivBytes, macBytes, type RepositoryKey } from './seal.ts';
import { openLibraries, smallCipher, smallMac } from './small-libraries.ts';
import { boundBytes, firstZstdError, smallLimitBytes } from './small-zstd.ts';

export interface SmallBlobSealer {
  /**
   * As `sealBlob`, in memory that the next call uses again. Undefined when it is too large for this, or a library refuses it: `sealBlob`
   * takes it then.
   */
  seal(content: Uint8Array, level: CompressionLevel | undefined, iv: Uint8Array): SealedBlob | undefined;
}

export function smallBlobSealer(key: RepositoryKey): SmallBlobSealer | undefined {
  try {
    return sealerOf(key);
  } catch {
    return undefined;
  }
}

function sealerOf(key: RepositoryKey): SmallBlobSealer | undefined {
  const libraries = openLibraries();
  const { calls, pinned } = libraries;
  const place = pinned(ivBytes + boundBytes + macBytes);
  const contentPlace = pinned(smallLimitBytes);
  const macOf = smallMac(key, libraries, place);
  const encipher = smallCipher(key, libraries, place);
  const compressor = calls.ZSTD_createCCtx();
  if (macOf === undefined || encipher === undefined || compressor === 0n) return undefined;
  const bodyAt = place.address + BigInt(ivBytes);
  const bodyLimit = BigInt(boundBytes);
  /** Brings the content to its place; how long it is there. */
  const fill = (content: Uint8Array, level: CompressionLevel | undefined): number | undefined => {
    if (level === undefined) {
      place.bytes.set(content, ivBytes);
      return content.length;
    }
    contentPlace.bytes.set(content);
    const { address } = contentPlace;
    const made = calls.ZSTD_compressCCtx(compressor, bodyAt, bodyLimit, address, BigInt(content.length), level);
    return made >= firstZstdError ? undefined : Number(made);
  };
  return {
    seal(content, level, iv) {
      // Memory that somebody released has no bytes any more, and its address leads nowhere.
      if (place.bytes.length === 0 || contentPlace.bytes.length === 0) return undefined;
      if (content.length === 0 || content.length > smallLimitBytes) return undefined;
      const length = fill(content, level);
      if (length === undefined) return undefined;
      place.bytes.set(iv, 0);
      const mac = encipher(length) ? macOf(length) : undefined;
      if (mac === undefined) return undefined;
      place.bytes.set(mac, ivBytes + length);
      const sealed = place.bytes.subarray(0, ivBytes + length + macBytes);
      return { sealed, uncompressedLength: level === undefined ? undefined : content.length };
    },
  };
}
