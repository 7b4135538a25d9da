/**
 * How single JSON documents (index, snapshot, lock) become objects: encoding byte 2 ‖ zstd, then sealed. The config is sealed without
 * either, so that a reader can find the version first. Source: "Unpacked Data Format" of restic's design document.
 */
import { releaseMemory } from '../../mover/release-memory.ts';
import { failDamaged } from '../repository-error.ts';
import { compress, decompress } from './compress.ts';
import { type RepositoryKey, seal, unseal } from './seal.ts';

const compressedEncoding = 2;
const braceOpen = 0x7b;
const bracketOpen = 0x5b;
/** Twice what the index of one pack with as many blobs as a header holds takes. */
export const documentLimitBytes = 128 * 1024 * 1024;

export function sealDocument(key: RepositoryKey, json: string | Uint8Array, iv: Uint8Array): Buffer {
  const compressed = compress(typeof json === 'string' ? Buffer.from(json, 'utf8') : json, 3);
  const plaintext = Buffer.allocUnsafe(compressed.length + 1);
  plaintext[0] = compressedEncoding;
  plaintext.set(compressed, 1);
  return seal(key, plaintext, iv);
}

/** The JSON bytes. Throws `RepositoryDamaged`. */
export function unsealDocument(key: RepositoryKey, sealed: Uint8Array, about: string): Buffer {
  const plaintext = unseal(key, sealed, about);
  const encoding = plaintext[0];
  if (encoding === braceOpen || encoding === bracketOpen) return plaintext;
  if (encoding !== compressedEncoding)
    return failDamaged(`A document has encoding ${encoding}, which we don't know`, about);
  const json = decompress(plaintext.subarray(1), documentLimitBytes, about);
  releaseMemory(plaintext);
  return json;
}
