/**
 * The content of a large zstd frame piece by piece, synchronously: by the library that Node carries, as small-zstd.ts. node:zlib knows only
 * the whole at once or streams with events, which would make every reader of a tree wait for events.
 */
import { createRequire } from 'node:module';
import { failDamaged } from '../repository-error.ts';
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
    const structOf = (bytes: Uint8Array): Buffer => {
      const struct = Buffer.alloc(structBytes);
      struct.writeBigUInt64LE(ffi.getRawPointer(bytes), 0);
      struct.writeBigUInt64LE(BigInt(bytes.length), 8);
      return struct;
    };
    const position = (struct: Buffer) => Number(struct.readBigUInt64LE(positionAt));
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
