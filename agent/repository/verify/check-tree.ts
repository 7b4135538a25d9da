/** Whether everything that trees refer to is there: what a writer asks before its restore point appears when it is in doubt. */
import { type BlobLocations, blobLocations } from '../blob-locations.ts';
import type { Repository } from '../repository.ts';
import { blobSet } from './blob-set.ts';
import { againWhenReplaced, packBytesOf, readIndexObjects } from './read-index.ts';
import { listPacks } from './read-inventory.ts';
import { walkTrees } from './walk-trees.ts';

export interface CheckTreeOptions {
  readonly repository: Repository;
  readonly trees: readonly string[];
  /** Packs that don't count, although they are still there. */
  readonly except: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
}

/** How many blobs are not in any pack that is there, whole by its size, and may be referred to. */
export const countMissing = (options: CheckTreeOptions): Promise<number> =>
  againWhenReplaced(() => countMissingOnce(options));

/** Of blobs in packs that are there, whole by their size. @throws `ObjectMissing` when somebody changed the index meanwhile */
export async function locateWhole(
  repository: Repository,
  except: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<BlobLocations> {
  const stored = await listPacks(repository, signal);
  const locations = blobLocations();
  for await (const { packs } of readIndexObjects(repository, { signal }))
    for (const { id, blobs } of packs)
      if (!except.has(id) && stored.get(id) === packBytesOf(blobs)) locations.add(id, blobs);
  return locations;
}

async function countMissingOnce({ repository, trees, except, signal }: CheckTreeOptions): Promise<number> {
  const locations = await locateWhole(repository, except, signal);
  let missing = 0;
  await walkTrees({
    repository,
    locations,
    roots: trees,
    seen: blobSet(),
    signal,
    visitor: {
      node({ content }) {
        for (const blob of content) if (locations.find(blob, 'data') === undefined) missing++;
      },
      lost: () => void missing++,
    },
  });
  return missing;
}
