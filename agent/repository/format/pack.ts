/**
 * A pack: sealed blobs one after the other, then the sealed header that tells where each is, then the header's length.
 * Source: "Pack Format" of restic's design document.
 */
import { createHash } from 'node:crypto';
import { releaseMemory } from '../../mover/release-memory.ts';
import { failDamaged } from '../repository-error.ts';
import { type CompressionLevel, compress, decompress } from './compress.ts';
import { binaryIdOf } from './object-id.ts';
import { compressedEntryBytes, type PackedBlob, plainEntryBytes, readEntries } from './pack-entries.ts';
import { type RepositoryKey, seal, sealOverheadBytes, unseal } from './seal.ts';
import { compressPieces, zstdPieces } from './zstd-pieces.ts';

export { type BlobList, type BlobType, blobLimitBytes, blobTypes, type PackedBlob } from './pack-entries.ts';

/** Offsets are kept in 32 bits. */
export const packLimitBytes = 2 ** 32 - 1;
const lengthBytes = 4;
/** restic's own. */
const headerLimitBytes = 16 * 1024 * 1024;

/** A blob as it goes into a pack. */
export interface SealedBlob {
  readonly sealed: Buffer;
  readonly uncompressedLength: number | undefined;
}

/** @param level undefined stores as it is; trees must be compressed in version 2 */
export function sealBlob(
  key: RepositoryKey,
  content: Uint8Array,
  level: CompressionLevel | undefined,
  iv: Uint8Array,
): SealedBlob {
  if (level === undefined) return { sealed: seal(key, content, iv), uncompressedLength: undefined };
  const compressed = compress(content, level);
  const sealed = seal(key, compressed, iv);
  releaseMemory(compressed);
  return { sealed, uncompressedLength: content.length };
}

/** As `sealBlob`, of content that is never held as a whole. */
export function sealPieces(
  key: RepositoryKey,
  { pieces, length }: { readonly pieces: Iterable<Uint8Array>; readonly length: number },
  level: CompressionLevel,
  iv: Uint8Array,
): SealedBlob {
  const compressed = compressPieces(pieces, length, level);
  const sealed = seal(key, compressed, iv);
  releaseMemory(compressed);
  return { sealed, uncompressedLength: length };
}

/**
 * The content, proven to be what its id says. Throws `RepositoryDamaged`.
 * @param pack where the bytes are from, for errors
 */
export function unsealBlob(key: RepositoryKey, sealed: Uint8Array, blob: PackedBlob, pack: string): Buffer {
  const about = aboutBlob(blob, pack);
  const stored = unseal(key, sealed, about);
  const content = provenContent(stored, blob, about);
  if (content !== stored) releaseMemory(stored);
  return content;
}

/** The blob under another key, as it was stored; its content is proven on the way. Throws `RepositoryDamaged`. */
export function resealBlob(
  keys: { readonly from: RepositoryKey; readonly to: RepositoryKey },
  sealed: Uint8Array,
  { pack, ...blob }: PackedBlob & { readonly pack: string },
  iv: Uint8Array,
): SealedBlob {
  const about = aboutBlob(blob, pack);
  const stored = unseal(keys.from, sealed, about);
  provenContent(stored, blob, about);
  return { sealed: seal(keys.to, stored, iv), uncompressedLength: blob.uncompressedLength };
}

const aboutBlob = ({ type, id }: PackedBlob, pack: string): string => `${type} blob ${id} in pack ${pack}`;

function provenContent(stored: Buffer, { id, uncompressedLength }: PackedBlob, about: string): Buffer {
  const content = uncompressedLength === undefined ? stored : decompress(stored, uncompressedLength, about, 'Exactly');
  // Where a file's content lies follows from these lengths.
  if (uncompressedLength !== undefined && content.length !== uncompressedLength)
    failDamaged('A blob is shorter than its pack or index says', about);
  if (binaryIdOf(content).toString('hex') !== id) failDamaged('A blob is not what its name says', about);
  return content;
}

/** From here up content is proven piece by piece. */
const piecewiseBytes = 4 * 1024 * 1024;

/**
 * As `unsealBlob`, without the content: a large blob never lies in memory as a whole but compressed.
 * @returns the compressed bytes of a large one, to be read by `zstdPieces`; undefined for others
 */
export function proveBlob(key: RepositoryKey, sealed: Uint8Array, blob: PackedBlob, pack: string): Buffer | undefined {
  const { id, type, uncompressedLength = 0 } = blob;
  const pieces = zstdPieces();
  if (uncompressedLength <= piecewiseBytes || pieces === undefined) {
    unsealBlob(key, sealed, blob, pack);
    return undefined;
  }
  const about = `${type} blob ${id} in pack ${pack}`;
  const frame = unseal(key, sealed, about);
  const digest = createHash('sha256');
  let bytes = 0;
  for (const piece of pieces(frame, about)) {
    bytes += piece.length;
    if (bytes > uncompressedLength) break;
    digest.update(piece);
  }
  if (bytes !== uncompressedLength || digest.digest('hex') !== id)
    failDamaged('A blob is not what its name says', about);
  return frame;
}

/** The end of a pack: sealed header ‖ its length. @param entries of its blobs, one after the other, as `writeEntry` writes them */
export function sealPackEnd(key: RepositoryKey, entries: Uint8Array, iv: Uint8Array): Buffer {
  const header = seal(key, entries, iv);
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32LE(header.length);
  return Buffer.concat([header, length]);
}

/** How many bytes `sealPackEnd` makes of so many blobs, at most. */
export const packEndBytes = (blobs: number): number => blobs * compressedEntryBytes + sealOverheadBytes + lengthBytes;

/** How long the sealed header before these last four bytes is. Throws `RepositoryDamaged` when the pack can't hold it. */
export function readHeaderLength(lastBytes: Uint8Array, packBytes: number, about: string): number {
  if (lastBytes.length < lengthBytes || packBytes > packLimitBytes) return failDamaged('A pack has no header', about);
  const length = Buffer.from(lastBytes).readUInt32LE(lastBytes.length - lengthBytes);
  const isPossible =
    length >= sealOverheadBytes + plainEntryBytes && length <= headerLimitBytes && length + lengthBytes <= packBytes;
  return isPossible ? length : failDamaged('A pack has no header', about);
}

/**
 * The blobs of a pack, from its sealed header.
 * @param packBytes the whole pack's size: the blobs must fill exactly what lies before the header
 */
export function parsePackHeader(
  key: RepositoryKey,
  sealedHeader: Uint8Array,
  packBytes: number,
  about: string,
): PackedBlob[] {
  const header = unseal(key, sealedHeader, about);
  const blobs = [...readEntries(header, about)];
  const last = blobs.at(-1);
  const offset = last === undefined ? 0 : last.offset + last.length;
  if (offset + sealedHeader.length + lengthBytes !== packBytes) failDamaged("A pack's blobs don't fill it", about);
  return blobs;
}
