/**
 * Copies restore points, whose trees are in the target already. Every field stays, ones we don't know too, but two, as `restic copy` does:
 * `original` is the id it had (unless it names an older one), and a `parent` is the copy's.
 */
import { idOf } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import type { RandomBytes, Repository } from '../repository.ts';
import { manifestPrefix, readSnapshotDocuments, readTexts, snapshotPrefix } from '../verify/read-roots.ts';

export interface CopiedRoot {
  /** The object's id in the source. */
  readonly from: string;
  readonly to: string;
}

/** In the order of their times. May be killed and repeated: an equal one is found and kept. */
export async function copySnapshots(
  source: Repository,
  target: Repository,
  randomBytes: RandomBytes,
  signal?: AbortSignal,
): Promise<readonly CopiedRoot[]> {
  const documents = await readSnapshotDocuments(source, { signal });
  const put = await putUnlessThere(target, snapshotPrefix, randomBytes, signal);
  const copies = new Map<string, string>();
  for (const { id, text, snapshot } of documents)
    copies.set(id, await put(rewriteSnapshot(text, id, copies.get(snapshot.parent ?? ''))));
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
  for (const { id, text } of await readTexts(source, manifestPrefix, { signal }))
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
  for (const { id, text } of await readTexts(target, prefix, { signal }))
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
