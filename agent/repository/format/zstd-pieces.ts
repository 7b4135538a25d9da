/**
 * The content of a large zstd frame piece by piece, and such a frame of pieces, synchronously: by the library that Node carries, as
 * small-zstd.ts. node:zlib knows only the whole at once or streams with events, which would make every reader of a tree wait for events.
 */
import { createRequire } from 'node:module';
import { failDamaged } from '../repository-error.ts';
import { type CompressionLevel, compress } from './compress.ts';
import { firstZstdError } from './small-zstd.ts';

const pieceBytes = 1024 * 1024;
/** Two structs of zstd.h: ZSTD_inBuffer and ZSTD_outBuffer are {pointer, size, position}. */
const structBytes = 24;
const positionAt = 16;

type Pieces = (frame: Uint8Array, about: string) => Generator<Buffer>;

let opened: { readonly pieces: Pieces | undefined } | undefined;

/**
 * Undefined where there is no node:ffi. What it makes throws `RepositoryDamaged` for anything but whole frames; a piece is the
 * generator's own, and valid until the next is asked for. How much comes in all is the caller's to bound.
 */
export function zstdPieces(): Pieces | undefined {
  opened ??= { pieces: open() };
  return opened.pieces;
}

function open(): Pieces | undefined {
  try {
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi');
    const { functions } = ffi.dlopen(null, {
      ZSTD_createDCtx: { arguments: [], return: 'pointer' },
      ZSTD_freeDCtx: { arguments: ['pointer'], return: 'u64' },
      ZSTD_decompressStream: { arguments: ['pointer', 'buffer', 'buffer'], return: 'u64' },
    });
    const structOf = (bytes: Uint8Array) => bufferStruct(ffi, bytes);
    return function* pieces(frame, about) {
      const context = functions.ZSTD_createDCtx();
      if (context === 0n) throw new Error('zstd has no memory for a context');
      try {
        const piece = Buffer.allocUnsafeSlow(pieceBytes);
        const [input, output] = [structOf(frame), structOf(piece)];
        for (;;) {
          output.writeBigUInt64LE(0n, positionAt);
          const left = functions.ZSTD_decompressStream(context, output, input);
          if (left >= firstZstdError) failDamaged('Compressed bytes are damaged', about);
          const made = position(output);
          if (made > 0) yield piece.subarray(0, made);
          const isRead = position(input) === frame.length;
          if (isRead && left === 0n) return;
          if (isRead && made < pieceBytes) failDamaged('Compressed bytes are cut short', about);
        }
      } finally {
        functions.ZSTD_freeDCtx(context);
      }
    };
  } catch {
    return undefined;
  }
}

type Ffi = typeof import('node:ffi');

function bufferStruct(ffi: Ffi, bytes: Uint8Array): Buffer {
  const struct = Buffer.alloc(structBytes);
  struct.writeBigUInt64LE(ffi.getRawPointer(bytes), 0);
  struct.writeBigUInt64LE(BigInt(bytes.length), 8);
  return struct;
}

const position = (struct: Buffer) => Number(struct.readBigUInt64LE(positionAt));

/** ZSTD_c_compressionLevel, ZSTD_e_continue and ZSTD_e_end of zstd.h. */
const [levelParameter, goOn, atEnd] = [100, 0, 2];

/**
 * A frame of all pieces one after the other, read as those of `compress`, without ever holding more than one of them. Its memory is its own.
 * @param length of all pieces together
 */
export function compressPieces(pieces: Iterable<Uint8Array>, length: number, level: CompressionLevel): Buffer {
  const calls = compressionCalls();
  if (calls === undefined) return compress(Buffer.concat([...pieces], length), level);
  const { ffi, functions } = calls;
  const checked = (result: bigint): bigint => {
    if (result >= firstZstdError) throw new Error(`zstd failed with ${result - 2n ** 64n}`);
    return result;
  };
  const context = functions.ZSTD_createCCtx();
  if (context === 0n) throw new Error('zstd has no memory for a context');
  try {
    checked(functions.ZSTD_CCtx_setParameter(context, levelParameter, level));
    checked(functions.ZSTD_CCtx_setPledgedSrcSize(context, BigInt(length)));
    // What is not written to takes no memory.
    const frame = Buffer.allocUnsafeSlow(Number(checked(functions.ZSTD_compressBound(BigInt(length)))));
    const output = bufferStruct(ffi, frame);
    const take = (bytes: Uint8Array, until: number) => {
      const input = bufferStruct(ffi, bytes);
      // There is room for everything: each call takes all of its input, the last one gives all of the frame.
      while (checked(functions.ZSTD_compressStream2(context, output, input, until)) > 0n && until === atEnd);
      if (position(input) !== bytes.length) throw new Error('zstd left a part of its input');
    };
    for (const bytes of pieces) take(bytes, goOn);
    take(Buffer.from(' ').subarray(1), atEnd);
    return frame.subarray(0, position(output));
  } finally {
    functions.ZSTD_freeCCtx(context);
  }
}

function compressionCalls() {
  try {
    const ffi = createRequire(import.meta.url)('node:ffi') as Ffi;
    const { functions } = ffi.dlopen(null, {
      ZSTD_createCCtx: { arguments: [], return: 'pointer' },
      ZSTD_freeCCtx: { arguments: ['pointer'], return: 'u64' },
      ZSTD_CCtx_setParameter: { arguments: ['pointer', 'i32', 'i32'], return: 'u64' },
      ZSTD_CCtx_setPledgedSrcSize: { arguments: ['pointer', 'u64'], return: 'u64' },
      ZSTD_compressBound: { arguments: ['u64'], return: 'u64' },
      ZSTD_compressStream2: { arguments: ['pointer', 'buffer', 'buffer', 'i32'], return: 'u64' },
    });
    return { ffi, functions };
  } catch {
    return undefined;
  }
}
