/** An object under `index/`: which packs hold which blobs. Source: "Indexing" of restic's design document. */
import { failDamaged } from '../repository-error.ts';
import { assertId, idCharacters } from './object-id.ts';
import { type BlobList, blobLimitBytes, type PackedBlob, packLimitBytes } from './pack.ts';
import { jsonReader, readJson } from './read-json.ts';
import { sealOverheadBytes } from './seal.ts';

export interface IndexedPack {
  readonly id: string;
  readonly blobs: readonly PackedBlob[];
}

/** What a new index object is to name. */
export interface PackToIndex {
  readonly id: string;
  readonly blobs: BlobList;
}

/** Of one blob, with three numbers of ten digits; of what comes before and after a pack's blobs. */
const blobTextBytes = idCharacters + 120;
const packTextBytes = idCharacters + 40;

/** The JSON of an index object, in memory of its own: as a string, or as objects, it would take several times as much. */
export function encodeIndex(packs: readonly PackToIndex[]): Buffer<ArrayBuffer> {
  const most = packs.reduce((sum, { blobs }) => sum + packTextBytes + blobs.length * blobTextBytes, packTextBytes);
  // What is not written to takes no memory.
  const json = Buffer.from(new ArrayBuffer(most));
  let at = json.write('{"packs":[', 'latin1');
  const write = (text: string) => {
    at += json.write(text, at, 'latin1');
  };
  for (const [number, { id, blobs }] of packs.entries()) {
    write(`${number === 0 ? '' : ','}{"id":"${id}","blobs":[`);
    let comma = '';
    for (const blob of blobs) {
      write(comma + textOf(blob));
      comma = ',';
    }
    write(']}');
  }
  write(']}');
  return json.subarray(0, at);
}

function textOf({ id, type, offset, length, uncompressedLength }: PackedBlob): string {
  const text = `{"id":"${id}","type":"${type}","offset":${offset},"length":${length}`;
  return uncompressedLength === undefined ? `${text}}` : `${text},"uncompressed_length":${uncompressedLength}}`;
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
