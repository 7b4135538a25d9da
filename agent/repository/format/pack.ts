/**
 * A pack: sealed blobs one after the other, then the sealed header that tells where each is, then the header's length.
 * Source: "Pack Format" of restic's design document.
 */
import { createHash } from 'node:crypto';
import { releaseMemory } from '../../mover/release-memory.ts';
import { failDamaged } from '../repository-error.ts';
import { type CompressionLevel, compress, decompress } from './compress.ts';
import { binaryIdOf, idBytes } from './object-id.ts';
import { type RepositoryKey, seal, sealOverheadBytes, unseal } from './seal.ts';
import { compressPieces, zstdPieces } from './zstd-pieces.ts';

export const blobTypes = ['data', 'tree'] as const;
export type BlobType = (typeof blobTypes)[number];

/** Where a blob lies in its pack. */
export interface PackedBlob {
  readonly id: string;
  readonly type: BlobType;
  readonly offset: number;
  /** Sealed, in the pack. */
  readonly length: number;
  /** Of the content when it is compressed; undefined when it is stored as it is. */
  readonly uncompressedLength: number | undefined;
}

/** What one blob may hold: far above what any writer makes (restic's largest chunk is 8 MiB). */
export const blobLimitBytes = 512 * 1024 * 1024;
/** Offsets are kept in 32 bits. */
export const packLimitBytes = 2 ** 32 - 1;
const lengthBytes = 4;
const plainEntryBytes = 1 + lengthBytes + idBytes;
const compressedEntryBytes = plainEntryBytes + lengthBytes;
/** restic's own. */
const headerLimitBytes = 16 * 1024 * 1024;
const entryKinds = { data: 0, tree: 1, compressedData: 2, compressedTree: 3 } as const;

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

/** The end of a pack with these blobs: sealed header ‖ its length. */
export function encodePackEnd(key: RepositoryKey, blobs: readonly PackedBlob[], iv: Uint8Array): Buffer {
  const entries = blobs.map(encodeEntry);
  const header = seal(key, Buffer.concat(entries), iv);
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32LE(header.length);
  return Buffer.concat([header, length]);
}

/** How many bytes `encodePackEnd` makes of so many blobs, at most. */
export const packEndBytes = (blobs: number): number => blobs * compressedEntryBytes + sealOverheadBytes + lengthBytes;

function encodeEntry({ id, type, length, uncompressedLength }: PackedBlob): Buffer {
  const isCompressed = uncompressedLength !== undefined;
  const entry = Buffer.allocUnsafe(isCompressed ? compressedEntryBytes : plainEntryBytes);
  const kind = type === 'tree' ? entryKinds.tree : entryKinds.data;
  entry[0] = isCompressed ? kind + entryKinds.compressedData : kind;
  let at = entry.writeUInt32LE(length, 1);
  if (isCompressed) at = entry.writeUInt32LE(uncompressedLength, at);
  entry.write(id, at, 'hex');
  return entry;
}

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
  const blobs: PackedBlob[] = [];
  let offset = 0;
  for (let at = 0; at < header.length; ) {
    const kind = header[at] ?? 0;
    if (kind > entryKinds.compressedTree) failDamaged(`A pack's header has entry type ${kind}`, about);
    const isCompressed = kind >= entryKinds.compressedData;
    const size = isCompressed ? compressedEntryBytes : plainEntryBytes;
    if (at + size > header.length) failDamaged("A pack's header is cut short", about);
    const length = header.readUInt32LE(at + 1);
    const uncompressedLength = isCompressed ? header.readUInt32LE(at + 1 + lengthBytes) : undefined;
    if (length < sealOverheadBytes || (uncompressedLength ?? 0) > blobLimitBytes)
      failDamaged("A pack's header has impossible sizes", about);
    const id = header.toString('hex', at + size - idBytes, at + size);
    blobs.push({ id, type: kind % 2 === entryKinds.tree ? 'tree' : 'data', offset, length, uncompressedLength });
    offset += length;
    at += size;
  }
  if (offset + sealedHeader.length + lengthBytes !== packBytes) failDamaged("A pack's blobs don't fill it", about);
  return blobs;
}
