/** Takes packs out of the index: new objects without them first, then the old objects go. Repeatable after any interruption. */
import type { IndexedPack } from '../format/index-file.ts';
import { withReserve } from '../locks/reserve.ts';
import type { Repository } from '../repository.ts';
import { readIndexObjects } from '../verify/read-index.ts';

/** Blobs that an index object names at most: parsing it must not need much memory. */
const blobsPerIndex = 40_000;

/** @param mayGoOn asked before the old objects go; throws when the lock is lost */
export async function removeFromIndex(
  repository: Repository,
  packs: ReadonlySet<string>,
  mayGoOn: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (packs.size === 0) return;
  const replaced: string[] = [];
  let kept: IndexedPack[] = [];
  let blobs = 0;
  const write = async () => {
    const some = kept;
    kept = [];
    blobs = 0;
    if (some.length > 0) await withReserve(repository.store, () => repository.putIndex(some, signal));
  };
  const written = new Set<string>();
  for await (const { name, packs: named } of readIndexObjects(repository, { signal })) {
    if (!named.some(({ id }) => packs.has(id))) continue;
    replaced.push(name);
    for (const pack of named) {
      if (packs.has(pack.id) || written.has(pack.id)) continue;
      written.add(pack.id);
      kept.push(pack);
      blobs += pack.blobs.length;
      if (blobs >= blobsPerIndex) await write();
    }
  }
  await write();
  await mayGoOn();
  await repository.store.removeMany(replaced, signal);
}
