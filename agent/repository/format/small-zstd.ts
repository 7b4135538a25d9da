/**
 * zstd of small content through the library that Node carries, one context for all calls: node:zlib makes a stream and a context for
 * each, which takes longer than compressing a file of some KiB does. Undefined where there is no node:ffi, or Node was built without those
 * symbols: callers use node:zlib then, which makes and reads the same frames.
 */
import { createRequire } from 'node:module';

export interface SmallZstd {
  /** Content up to `smallLimitBytes`; undefined when it fails. */
  compress(content: Uint8Array, level: number): Buffer | undefined;
  /** Undefined when it is no frame, or more than `limitBytes` (at most `smallLimitBytes`) come out. */
  decompress(frame: Uint8Array, limitBytes: number): Buffer | undefined;
}

/** What larger content costs beside its own compression is not worth the memory that a context keeps. */
export const smallLimitBytes = 128 * 1024;
/** ZSTD_COMPRESSBOUND of the limit. */
export const boundBytes = smallLimitBytes + smallLimitBytes / 256 + 64;
/** Results of zstd from here up are error codes, as 64 bits without a sign. */
export const firstZstdError = 2n ** 64n - 4096n;

let opened: { readonly zstd: SmallZstd | undefined } | undefined;

/** The same one for all callers on a thread. */
export function smallZstd(): SmallZstd | undefined {
  opened ??= { zstd: open() };
  return opened.zstd;
}

function open(): SmallZstd | undefined {
  try {
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi');
    const { functions } = ffi.dlopen(null, {
      ZSTD_createCCtx: { arguments: [], return: 'pointer' },
      ZSTD_createDCtx: { arguments: [], return: 'pointer' },
      ZSTD_compressCCtx: { arguments: ['pointer', 'pointer', 'u64', 'buffer', 'u64', 'i32'], return: 'u64' },
      ZSTD_decompressDCtx: { arguments: ['pointer', 'pointer', 'u64', 'buffer', 'u64'], return: 'u64' },
    });
    const [compressor, decompressor] = [functions.ZSTD_createCCtx(), functions.ZSTD_createDCtx()];
    if (compressor === 0n || decompressor === 0n) return undefined;
    const out = Buffer.allocUnsafeSlow(boundBytes);
    const outAt = ffi.getRawPointer(out);
    const taken = (length: bigint) =>
      length >= firstZstdError ? undefined : Buffer.from(out.subarray(0, Number(length)));
    return {
      compress: (content, level) =>
        content.length === 0
          ? undefined
          : taken(
              functions.ZSTD_compressCCtx(
                compressor,
                outAt,
                BigInt(boundBytes),
                content,
                BigInt(content.length),
                level,
              ),
            ),
      decompress: (frame, limitBytes) =>
        frame.length === 0
          ? undefined
          : taken(functions.ZSTD_decompressDCtx(decompressor, outAt, BigInt(limitBytes), frame, BigInt(frame.length))),
    };
  } catch {
    return undefined;
  }
}
