/** An object under `index/`: which packs hold which blobs. Source: "Indexing" of restic's design document. */
import { failDamaged } from '../repository-error.ts';
import { assertId } from './object-id.ts';
import { blobLimitBytes, type PackedBlob, packLimitBytes } from './pack.ts';
import { jsonReader, readJson } from './read-json.ts';
import { sealOverheadBytes } from './seal.ts';

export interface IndexedPack {
  readonly id: string;
  readonly blobs: readonly PackedBlob[];
}

export function encodeIndex(packs: readonly IndexedPack[]): string {
  return JSON.stringify({
    packs: packs.map(({ id, blobs }) => ({
      id,
      blobs: blobs.map(({ uncompressedLength, ...blob }) =>
        uncompressedLength === undefined ? blob : { ...blob, uncompressed_length: uncompressedLength },
      ),
    })),
  });
}

/** Throws `RepositoryDamaged`. */
export function parseIndex(json: Uint8Array, about: string): IndexedPack[] {
  return readJson(json, about)
    .list('packs')
    .map((pack) => {
      const read = jsonReader(pack, about);
      return {
        id: assertId(read.text('id', 64), about),
        blobs: read.list('blobs').map((blob) => readBlob(blob, about)),
      };
    });
}

function readBlob(value: unknown, about: string): PackedBlob {
  const read = jsonReader(value, about);
  const type = read.text('type', 8);
  if (type !== 'data' && type !== 'tree') return failDamaged('An index names a blob of unknown type', about);
  const length = read.count('length');
  const offset = read.count('offset');
  const uncompressedLength = read.optionalCount('uncompressed_length');
  refuseImpossible({ length, offset, uncompressedLength }, about);
  return {
    id: assertId(read.text('id', 64), about),
    type,
    offset,
    length,
    // restic leaves it out, or 0, when the blob isn't compressed.
    uncompressedLength: uncompressedLength === 0 ? undefined : uncompressedLength,
  };
}

/** Throws `RepositoryDamaged`. */
export function refuseImpossible(
  { length, offset, uncompressedLength }: Pick<PackedBlob, 'length' | 'offset' | 'uncompressedLength'>,
  about: string,
): void {
  if (length < sealOverheadBytes || length > blobLimitBytes || (uncompressedLength ?? 0) > blobLimitBytes)
    failDamaged('An index names a blob of impossible size', about);
  if (offset + length > packLimitBytes) failDamaged('An index names a blob beyond any pack', about);
}
