/**
 * Goes through an index object blob by blob: as objects the blobs of one take fifty megabytes, and longer to make than to look at. Only
 * of the form that we and restic write; whoever finds another parses it.
 */
import { refuseImpossible } from './index-file.ts';
import { idBytes, idCharacters, isId, readIdIn } from './object-id.ts';
import type { BlobType } from './pack.ts';
import { TextReader } from './text-reader.ts';

export interface IndexVisitor {
  /** The blobs of this pack follow; false passes over them. */
  pack(id: string): boolean;
  /** @param id the same memory for all blobs */
  blob(id: Uint8Array, blob: ScannedBlob): void;
}

/** The same object for all blobs. */
export interface ScannedBlob {
  type: BlobType;
  offset: number;
  length: number;
  uncompressedLength: number | undefined;
}

const windowCharacters = 64 * 1024;
/** More than one blob or the beginning of a pack takes. */
const pieceCharacters = 1024;

/**
 * @returns false when it has another form: `parseIndex` tells what is in it then, also what was visited here.
 * Throws `RepositoryDamaged` for sizes that `parseIndex` refuses.
 */
export function scanIndex(json: Buffer, about: string, { pack, blob }: IndexVisitor): boolean {
  let [from, reader] = [0, windowOf(json, 0)];
  const ahead = (): TextReader => {
    if (reader.at <= windowCharacters - pieceCharacters) return reader;
    from += reader.at;
    reader = windowOf(json, from);
    return reader;
  };
  const id = new Uint8Array(idBytes);
  const scanned: ScannedBlob = { type: 'data', offset: 0, length: 0, uncompressedLength: undefined };
  if (!reader.skip('{"packs":[')) return false;
  do {
    const name = readPackStart(ahead());
    if (name === undefined) return false;
    const isWanted = pack(name);
    do {
      if (!readBlob(ahead(), id, scanned)) return false;
      refuseImpossible(scanned, about);
      if (isWanted) blob(id, scanned);
    } while (reader.skip(','));
    if (!reader.skip(']}')) return false;
  } while (reader.skip(','));
  return reader.skip(']}') && /^\s*$/.test(reader.text.slice(reader.at));
}

const windowOf = (json: Buffer, from: number): TextReader =>
  new TextReader(json.toString('latin1', from, from + windowCharacters), 0);

function readPackStart(reader: TextReader): string | undefined {
  if (!reader.skip('{"id":"')) return undefined;
  const id = reader.text.slice(reader.at, reader.at + idCharacters);
  reader.at += idCharacters;
  return isId(id) && reader.skip('","blobs":[') ? id : undefined;
}

function readBlob(reader: TextReader, id: Uint8Array, into: ScannedBlob): boolean {
  if (!reader.skip('{"id":"') || !readIdIn(reader.text, reader.at, id)) return false;
  reader.at += idCharacters;
  if (reader.skip('","type":"data","offset":')) into.type = 'data';
  else if (reader.skip('","type":"tree","offset":')) into.type = 'tree';
  else return false;
  into.offset = reader.number();
  if (into.offset < 0 || !reader.skip(',"length":')) return false;
  into.length = reader.number();
  const isCompressed = reader.skip(',"uncompressed_length":');
  const uncompressed = isCompressed ? reader.number() : 0;
  into.uncompressedLength = uncompressed === 0 ? undefined : uncompressed;
  return into.length >= 0 && uncompressed >= 0 && reader.skip('}');
}
