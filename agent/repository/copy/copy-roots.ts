/**
 * Copies restore points, whose trees are in the target already. Every field stays, ones we don't know too, but two, as `restic copy` does:
 * `original` is the id it had (unless it names an older one), and a `parent` is the copy's.
 */
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { idOf, isId } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { parseSnapshot } from '../format/snapshot.ts';
import { sealDocument } from '../format/unpacked.ts';
import type { RandomBytes, Repository } from '../repository.ts';
import { readDocument } from '../verify/read-document.ts';
import { manifestPrefix } from '../verify/read-roots.ts';

export interface CopiedRoot {
  /** The object's id in the source. */
  readonly from: string;
  readonly to: string;
}

export interface RootDocument {
  readonly id: string;
  readonly text: string;
}

const snapshotPrefix = 'snapshots/';
const readsAtOnce = 8;

/** In the order of their times. May be killed and repeated: an equal one is found and kept. */
export async function copySnapshots(
  source: Repository,
  target: Repository,
  randomBytes: RandomBytes,
  signal?: AbortSignal,
): Promise<readonly CopiedRoot[]> {
  const timed = (await readDocuments(source, snapshotPrefix, signal)).map(({ id, text }) => {
    const { time, parent } = parseSnapshot(Buffer.from(text), `${snapshotPrefix}${id}`);
    return { id, text, parent, timeMs: time.getTime() };
  });
  timed.sort((left, right) => left.timeMs - right.timeMs || (left.id < right.id ? -1 : 1));
  const put = await putUnlessThere(target, snapshotPrefix, randomBytes, signal);
  const copies = new Map<string, string>();
  for (const { id, text, parent } of timed)
    copies.set(id, await put(rewriteSnapshot(text, id, copies.get(parent ?? ''))));
  return [...copies].map(([from, to]) => ({ from, to }));
}

/** Pure: the snapshot's JSON as its copy has it. A parent that was not copied is left out. */
export function rewriteSnapshot(text: string, id: string, parent: string | undefined): string {
  // `parseSnapshot` has seen that it is an object.
  const fields = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return JSON.stringify({ ...fields, parent, original: fields.original ?? id });
}

/** As they are: manifests of application backups name trees, whose ids stay. */
export async function copyManifests(
  source: Repository,
  target: Repository,
  randomBytes: RandomBytes,
  signal?: AbortSignal,
): Promise<readonly CopiedRoot[]> {
  const put = await putUnlessThere(target, manifestPrefix, randomBytes, signal);
  const copied: CopiedRoot[] = [];
  for (const { id, text } of await readDocuments(source, manifestPrefix, signal))
    copied.push({ from: id, to: await put(text) });
  return copied;
}

/** Two of the source may be equal: each object of the target stands for one of them. */
async function putUnlessThere(
  target: Repository,
  prefix: string,
  randomBytes: RandomBytes,
  signal: AbortSignal | undefined,
) {
  const there = new Map<string, string[]>();
  for (const { id, text } of await readDocuments(target, prefix, signal))
    there.set(text, [...(there.get(text) ?? []), id].sort());
  return async (text: string): Promise<string> => {
    const known = there.get(text)?.shift();
    if (known !== undefined) return known;
    const sealed = sealDocument(target.key, text, randomBytes(ivBytes));
    const id = idOf(sealed);
    await target.store.put(`${prefix}${id}`, sealed, signal);
    return id;
  };
}

/** Of these restore points. @throws `ObjectMissing`, `RepositoryDamaged` */
export const readSnapshotDocuments = (repository: Repository, ids: readonly string[], signal?: AbortSignal) =>
  readListed(repository, snapshotPrefix, ids, signal);

async function readDocuments(repository: Repository, prefix: string, signal: AbortSignal | undefined) {
  const ids: string[] = [];
  for await (const { name } of repository.store.list(prefix, signal)) {
    const id = name.slice(prefix.length);
    if (isId(id)) ids.push(id);
  }
  return await readListed(repository, prefix, ids.sort(), signal);
}

async function readListed(
  repository: Repository,
  prefix: string,
  ids: readonly string[],
  signal: AbortSignal | undefined,
) {
  const read = async (id: string): Promise<RootDocument> => ({
    id,
    text: (await readDocument(repository, `${prefix}${id}`, signal)).toString('utf8'),
  });
  return await mapLimit(ids, readsAtOnce, read, signal);
}
