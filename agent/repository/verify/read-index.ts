/** Every index object one after the other, so that callers keep of it what they need and no more. */

import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { releaseMemory } from '../../mover/release-memory.ts';
import { type IndexedPack, parseIndex } from '../format/index-file.ts';
import { isId } from '../format/object-id.ts';
import type { PackedBlob } from '../format/pack.ts';
import { type IndexVisitor, scanIndex } from '../format/scan-index.ts';
import { sealOverheadBytes } from '../format/seal.ts';
import { unsealDocument } from '../format/unpacked.ts';
import type { OnDamage, Repository } from '../repository.ts';
import { isDamage, isMissing, readNamed, refuseOversized } from './read-document.ts';

export interface IndexObject {
  readonly name: string;
  readonly sizeBytes: number;
  readonly packs: readonly IndexedPack[];
}

const readsAtOnce = 8;

interface ReadIndexOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onDamage?: OnDamage | undefined;
}

/**
 * @param onDamage is told of objects that can't be used; without it the first of them is thrown. An object that vanished since it was
 * listed was replaced by the collector: throws `ObjectMissing`, and reading all of it again helps (`againWhenReplaced`)
 */
export async function* readIndexObjects(
  repository: Pick<Repository, 'store' | 'key'>,
  options: ReadIndexOptions,
): AsyncGenerator<IndexObject> {
  for await (const { read, ...object } of readIndexes(repository, options, parseIndex))
    yield { ...object, packs: read };
}

/**
 * Visits all blobs, some perhaps twice. Throws as `readIndexObjects`. Of an object that turns out to be damaged the blobs before the damage
 * were visited: with `onDamage` it is for readers only, who prove what they read by its id and can only get more of it so. Who
 * decides what need not be stored, or what may go, takes no `onDamage` and ends at the first damaged one, or takes objects whole.
 */
export async function visitIndexes(
  repository: Pick<Repository, 'store' | 'key'>,
  options: ReadIndexOptions,
  visitor: IndexVisitor,
): Promise<void> {
  const visit = (json: Buffer, name: string) => {
    if (!scanIndex(json, name, visitor)) visitParsed(parseIndex(json, name), visitor);
    releaseMemory(json);
    return true;
  };
  for await (const _ of readIndexes(repository, options, visit));
}

function visitParsed(packs: readonly IndexedPack[], visitor: IndexVisitor): void {
  for (const { id: pack, blobs } of packs)
    if (visitor.pack(pack)) for (const { id, ...blob } of blobs) visitor.blob(Buffer.from(id, 'hex'), blob);
}

async function* readIndexes<Read>(
  repository: Pick<Repository, 'store' | 'key'>,
  { signal, onDamage }: ReadIndexOptions,
  read: (json: Buffer, name: string) => Read,
): AsyncGenerator<{ readonly name: string; readonly sizeBytes: number; readonly read: Read }> {
  const listed: { readonly name: string; readonly sizeBytes: number }[] = [];
  for await (const object of repository.store.list('index/', signal))
    if (isId(object.name.slice('index/'.length))) listed.push(object);
  listed.sort((left, right) => (left.name < right.name ? -1 : 1));
  const unlessDamaged = async <Result>(name: string, work: () => Result | Promise<Result>) => {
    try {
      return await work();
    } catch (error) {
      if (isMissing(error) || onDamage === undefined || !isDamage(error)) throw error;
      onDamage(name, error);
      return undefined;
    }
  };
  const fetch = (object: (typeof listed)[number]) =>
    unlessDamaged(object.name, () => {
      refuseOversized(object);
      return readNamed(repository.store, object.name, signal);
    });
  for (let at = 0; at < listed.length; at += readsAtOnce) {
    const some = listed.slice(at, at + readsAtOnce);
    const fetched = await mapLimit(some, readsAtOnce, fetch, signal);
    for (const [number, { name, sizeBytes }] of some.entries()) {
      const sealed = fetched[number];
      if (sealed === undefined) continue;
      // One at a time: what they are fetched as takes a tenth of what they are parsed to.
      const found = await unlessDamaged(name, () => {
        const json = unsealDocument(repository.key, sealed, name);
        releaseMemory(sealed);
        return read(json, name);
      });
      if (found !== undefined) yield { name, sizeBytes, read: found };
    }
  }
}

const entryBytes = (blob: PackedBlob): number => (blob.uncompressedLength === undefined ? 37 : 41);
const packLengthBytes = 4;

/** How large a pack of exactly these blobs is. */
export const packBytesOf = (blobs: readonly PackedBlob[]): number =>
  blobs.reduce((sum, blob) => sum + blob.length + entryBytes(blob), sealOverheadBytes + packLengthBytes);

const attempts = 4;

/** Runs it again when an object went away meanwhile, as an index that the collector replaced. */
export async function againWhenReplaced<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++)
    try {
      return await run();
    } catch (error) {
      if (!isMissing(error) || attempt === attempts) throw error;
    }
}
