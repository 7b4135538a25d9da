/** Takes packs out of the index: new objects without them first, then the old objects go. Repeatable after any interruption. */
import { indexWriter } from '../index-writer.ts';
import { withReserve } from '../locks/reserve.ts';
import type { Repository } from '../repository.ts';
import { readIndexObjects } from '../verify/read-index.ts';

/** @param mayGoOn asked before the old objects go; throws when the lock is lost */
export async function removeFromIndex(
  repository: Repository,
  packs: ReadonlySet<string>,
  mayGoOn: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (packs.size === 0) return;
  const replaced: string[] = [];
  const index = indexWriter((kept) => withReserve(repository.store, () => repository.putIndex(kept, signal)));
  const written = new Set<string>();
  for await (const { name, packs: named } of readIndexObjects(repository, { signal })) {
    if (!named.some(({ id }) => packs.has(id))) continue;
    replaced.push(name);
    for (const pack of named) {
      if (packs.has(pack.id) || written.has(pack.id)) continue;
      written.add(pack.id);
      await index.add(pack);
    }
  }
  await index.finish();
  await mayGoOn();
  await repository.store.removeMany(replaced, signal);
}
