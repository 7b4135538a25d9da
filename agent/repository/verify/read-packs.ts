/** Reads packs whole: the digest of all bytes, the header against the index, and every blob down to its content. */
import { isDeepStrictEqual } from 'node:util';
import type { StorkError } from '../../../kube/errors.ts';
import { type PackedBlob, parsePackHeader, proveBlob, readHeaderLength } from '../format/pack.ts';
import { packName, type Repository } from '../repository.ts';
import type { Finding } from './finding.ts';
import { isDamage, readNamed } from './read-document.ts';

export interface PackReading {
  readonly bytesRead: number;
  /** Undefined when every byte is as it should be. */
  readonly finding: Finding | undefined;
  /** The pack's blobs that can be had in spite of the damage. */
  readonly goodBlobs: readonly PackedBlob[];
}

/** @param indexed what the index says is in it; the header is asked when undefined */
export async function readPack(
  repository: Repository,
  pack: string,
  indexed: readonly PackedBlob[] | undefined,
  signal?: AbortSignal,
): Promise<PackReading> {
  const object = packName(pack);
  try {
    const bytes = await readNamed(repository.store, object, signal);
    const blobs = headerOf(repository, bytes, object);
    const message = checkBlobs(repository, bytes, blobs, indexed);
    const goodBlobs = message === undefined ? blobs : salvage(repository, bytes, indexed ?? blobs);
    return {
      bytesRead: bytes.length,
      goodBlobs,
      finding: message === undefined ? undefined : { object, kind: 'invalid', message },
    };
  } catch (error) {
    if (!isDamage(error)) throw error;
    const { bytes, finding } = await explain(repository, object, error, signal);
    return {
      bytesRead: bytes.length,
      finding,
      goodBlobs: salvage(repository, bytes, indexed ?? quietHeader(repository, bytes)),
    };
  }
}

async function explain(
  repository: Repository,
  object: string,
  error: StorkError,
  signal: AbortSignal | undefined,
): Promise<{ bytes: Buffer; finding: Finding }> {
  if (error.code === 'ObjectMissing')
    return {
      bytes: Buffer.alloc(0),
      finding: { object, kind: 'missing', message: 'An index names this pack, and it is not there' },
    };
  const bytes = await repository.store.get(object, undefined, signal);
  return { bytes, finding: { object, kind: 'altered', message: error.message } };
}

/** The blobs of whole pack bytes. Throws `RepositoryDamaged`. */
function headerOf({ key }: Repository, bytes: Buffer, about: string): PackedBlob[] {
  const length = readHeaderLength(bytes.subarray(-4), bytes.length, about);
  return parsePackHeader(key, bytes.subarray(bytes.length - 4 - length, bytes.length - 4), bytes.length, about);
}

function quietHeader(repository: Repository, bytes: Buffer): readonly PackedBlob[] {
  try {
    return bytes.length < 4 ? [] : headerOf(repository, bytes, 'pack');
  } catch (error) {
    if (!isDamage(error)) throw error;
    return [];
  }
}

function checkBlobs(
  { key }: Repository,
  bytes: Buffer,
  blobs: readonly PackedBlob[],
  indexed: readonly PackedBlob[] | undefined,
): string | undefined {
  if (indexed !== undefined && !isDeepStrictEqual(sorted(indexed), sorted(blobs)))
    return "The pack's own header and the index disagree";
  for (const blob of blobs) {
    const message = failureOf(() =>
      proveBlob(key, bytes.subarray(blob.offset, blob.offset + blob.length), blob, 'read whole'),
    );
    if (message !== undefined) return message;
  }
  return undefined;
}

const sorted = (blobs: readonly PackedBlob[]) =>
  blobs
    .map(({ id, type, offset, length, uncompressedLength }) => ({ id, type, offset, length, uncompressedLength }))
    .sort((left, right) => left.offset - right.offset);

function salvage({ key }: Repository, bytes: Buffer, blobs: readonly PackedBlob[]): readonly PackedBlob[] {
  return blobs.filter(
    (blob) =>
      failureOf(() => proveBlob(key, bytes.subarray(blob.offset, blob.offset + blob.length), blob, 'read whole')) ===
      undefined,
  );
}

function failureOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return error.message;
  }
}
