/** zstd as repository version 2 uses it. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { failDamaged } from '../repository-error.ts';
import { smallLimitBytes, smallZstd } from './small-zstd.ts';

/** What most snapshots and locks take, whose size nobody knows beforehand: a stream would get a mebibyte for each. */
const smallDocumentBytes = 16 * 1024;

export type CompressionLevel = 1 | 3 | 9 | 19;

export function compress(bytes: Uint8Array, level: CompressionLevel): Buffer {
  const small = bytes.length <= smallLimitBytes ? smallZstd()?.compress(bytes, level) : undefined;
  if (small !== undefined) return small;
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_contentSizeFlag]: 1 },
    pledgedSrcSize: bytes.length,
    // Output comes in pieces of this size and is joined: one piece is enough for most.
    chunkSize: Math.max(1024, bytes.length + 64),
  });
}

/**
 * @param limitBytes the most that may come out; `Exactly` tells that so many should, so that they are not joined of pieces.
 * Throws `RepositoryDamaged` for anything else than zstd, or for more.
 */
export function decompress(
  bytes: Uint8Array,
  limitBytes: number,
  about: string,
  expected: 'UpTo' | 'Exactly' = 'UpTo',
): Buffer {
  // What this can't read is read once more below, where the error says why.
  const isSmall = limitBytes <= smallLimitBytes || bytes.length <= smallDocumentBytes;
  const small = isSmall ? smallZstd()?.decompress(bytes, Math.min(limitBytes, smallLimitBytes)) : undefined;
  if (small !== undefined) return small;
  try {
    return zstdDecompressSync(bytes, {
      maxOutputLength: limitBytes,
      // A piece that is full to its last byte makes zlib begin another. Memory that is never written to is never taken.
      chunkSize: Math.max(1024, expected === 'Exactly' ? limitBytes + 1 : Math.min(limitBytes, 1 << 20)),
    });
  } catch (cause) {
    return failDamaged('Compressed bytes are damaged or too large', about, cause);
  }
}
