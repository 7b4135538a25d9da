/**
 * What the collector leaves between its two phases. `stork/marks/ID`: packs that it may delete later; writers don't refer to them from
 * the moment it appears. `stork/waits/ID.json`, of the same id: who held locks right afterwards, and so may not have seen the mark.
 */
import { assertId, idOf, isId } from '../format/object-id.ts';
import { readJson } from '../format/read-json.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import { putWithReserve } from '../locks/reserve.ts';
import type { RandomBytes, Repository } from '../repository.ts';
import { failDamaged } from '../repository-error.ts';
import { isMissing, readDocument, readSealed } from '../verify/read-document.ts';

export interface Mark {
  readonly id: string;
  readonly time: Date;
  readonly packs: readonly string[];
  /** Holders of locks when it had appeared; undefined when the collector died before it could tell. */
  readonly holders: readonly string[] | undefined;
}

const marks = 'stork/marks/';
const waits = 'stork/waits/';
const waitsEnd = '.json';
const waitsName = (mark: string): string => `${waits}${mark}${waitsEnd}`;

/** Fails rather than leave one out: a writer that misses a mark may refer to packs that go. */
export async function readMarks(repository: Repository, signal?: AbortSignal): Promise<readonly Mark[]> {
  const found: Mark[] = [];
  for await (const { name } of repository.store.list(marks, signal)) {
    const id = name.slice(marks.length);
    if (!isId(id)) continue;
    const json = await readDocument(repository, name, signal).catch((error: unknown) => {
      // Its packs are dealt with, and it is gone.
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (json === undefined) continue;
    found.push({ id, ...parseMark(json, name), holders: await readHolders(repository, id, signal) });
  }
  return found;
}

async function readHolders(repository: Repository, mark: string, signal: AbortSignal | undefined) {
  const name = waitsName(mark);
  if ((await repository.store.sizeOf(name, signal)) === undefined) return undefined;
  try {
    return parseHolders(await readSealed(repository, name, signal), mark, name);
  } catch (error) {
    // A collector is taking the mark away just now, its waits first.
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Throws `RepositoryDamaged`. */
export function parseMark(json: Uint8Array, about: string): Pick<Mark, 'time' | 'packs'> {
  const read = readJson(json, about);
  const time = new Date(read.text('time', 64));
  if (Number.isNaN(time.getTime())) failDamaged('A mark has no time', about);
  return { time, packs: read.texts('packs').map((pack) => assertId(pack, about)) };
}

/** @param mark whose holders they must be: the object's name is not its digest. Throws `RepositoryDamaged`. */
export function parseHolders(json: Uint8Array, mark: string, about: string): readonly string[] {
  const read = readJson(json, about);
  if (read.text('mark', 64) !== mark) failDamaged('These are the holders of locks at another mark', about);
  return read.texts('holders');
}

/** The mark's id. From its appearance on, writers that begin leave these packs alone. */
export async function putMark(
  repository: Repository,
  mark: Pick<Mark, 'time' | 'packs'>,
  randomBytes: RandomBytes,
): Promise<string> {
  const json = JSON.stringify({ time: mark.time.toISOString(), packs: mark.packs });
  const sealed = sealDocument(repository.key, json, randomBytes(ivBytes));
  const id = idOf(sealed);
  await putWithReserve(repository.store, `${marks}${id}`, sealed);
  return id;
}

/** Once for each mark; `holders` read after the mark had appeared. */
export async function putHolders(
  repository: Repository,
  mark: string,
  holders: readonly string[],
  randomBytes: RandomBytes,
): Promise<void> {
  const sealed = sealDocument(repository.key, JSON.stringify({ mark, holders }), randomBytes(ivBytes));
  await putWithReserve(repository.store, waitsName(mark), sealed);
}

/** Waits whose mark somebody else deleted would stay for ever. Only under the collector's lock: nobody takes marks away meanwhile. */
export async function removeOrphanedWaits({ store }: Repository, signal?: AbortSignal): Promise<void> {
  const orphans: string[] = [];
  for await (const { name } of store.list(waits, signal)) {
    const id = name.slice(waits.length, -waitsEnd.length);
    if (isId(id) && (await store.sizeOf(`${marks}${id}`, signal)) === undefined) orphans.push(name);
  }
  await store.removeMany(orphans, signal);
}

/** Its packs are deleted, or free to be used again. */
export async function removeMark(repository: Repository, mark: string): Promise<void> {
  // In this order: a mark without its waits only waits again, waits without their mark would stay for ever.
  await repository.store.remove(waitsName(mark));
  await repository.store.remove(`${marks}${mark}`);
}
