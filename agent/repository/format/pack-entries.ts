/**
 * The entries of a pack's header, of which each tells one blob's type, sizes and id. Source: "Pack Format" of restic's design document.
 */
import { failDamaged } from '../repository-error.ts';
import { idBytes } from './object-id.ts';
import { sealOverheadBytes } from './seal.ts';

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

/** Blobs in the order in which they lie in their pack. */
export interface BlobList extends Iterable<PackedBlob> {
  readonly length: number;
}

/** What one blob may hold: far above what any writer makes (restic's largest chunk is 8 MiB). */
export const blobLimitBytes = 512 * 1024 * 1024;

const lengthBytes = 4;
export const plainEntryBytes = 1 + lengthBytes + idBytes;
export const compressedEntryBytes = plainEntryBytes + lengthBytes;
const entryKinds = { data: 0, tree: 1, compressedData: 2, compressedTree: 3 } as const;

/** @returns where the next entry begins; at most `compressedEntryBytes` further */
export function writeEntry(into: Buffer, from: number, blob: Omit<PackedBlob, 'offset'>): number {
  const { id, type, length, uncompressedLength } = blob;
  const isCompressed = uncompressedLength !== undefined;
  const kind = type === 'tree' ? entryKinds.tree : entryKinds.data;
  into[from] = isCompressed ? kind + entryKinds.compressedData : kind;
  let at = into.writeUInt32LE(length, from + 1);
  if (isCompressed) at = into.writeUInt32LE(uncompressedLength, at);
  return at + into.write(id, at, 'hex');
}

/** The blobs in their order, each after the one before. Throws `RepositoryDamaged`. */
export function* readEntries(header: Buffer, about: string): Generator<PackedBlob> {
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
    yield { id, type: kind % 2 === entryKinds.tree ? 'tree' : 'data', offset, length, uncompressedLength };
    offset += length;
    at += size;
  }
}

/**
 * What a header of ours names, read anew each time: thousands of blobs as objects take several times as much.
 * @param entries written by `writeEntry`, so many
 */
export function blobsOfEntries(entries: Uint8Array, count: number): BlobList {
  const { buffer, byteOffset, byteLength } = entries;
  return {
    length: count,
    [Symbol.iterator]: () => readEntries(Buffer.from(buffer, byteOffset, byteLength), 'a header of ours'),
  };
}
