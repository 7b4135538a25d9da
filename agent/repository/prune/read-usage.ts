/**
 * How much of each pack is in use. Fails rather than guess: when a restore point or an index can't be read, or a blob is nowhere, what
 * looks unused may be needed to repair it.
 */
import { type BlobLocations, blobLocations } from '../blob-locations.ts';
import type { Repository } from '../repository.ts';
import { failDamaged } from '../repository-error.ts';
import { type BlobSet, blobSet } from '../verify/blob-set.ts';
import { packBytesOf, readIndexObjects } from '../verify/read-index.ts';
import { listPacks } from '../verify/read-inventory.ts';
import { readRoots, treesOf } from '../verify/read-roots.ts';
import { walkTrees } from '../verify/walk-trees.ts';
import type { PackUsage } from './plan-collection.ts';

export interface Usage {
  /** Every pack in the store. */
  readonly packs: readonly PackUsage[];
  readonly used: BlobSet;
  /** Of blobs in packs that are whole by their size; marked packs only where there is no other. */
  readonly locations: BlobLocations;
  readonly indexed: ReadonlySet<string>;
  readonly indexBytes: number;
}

/** @throws `RepositoryDamaged`; `ObjectMissing` when somebody changed the index meanwhile */
export async function readUsage(
  repository: Repository,
  marked: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Usage> {
  // Roots first: whatever they need was stored and indexed before they appeared.
  const roots = await readRoots(repository, { signal });
  const stored = await listPacks(repository, signal);
  const locations = blobLocations();
  const indexed = new Set<string>();
  let indexBytes = 0;
  for (const wanted of marked.size === 0 ? [false] : [false, true])
    for await (const { packs, sizeBytes } of readIndexObjects(repository, { signal })) {
      if (!wanted) indexBytes += sizeBytes;
      for (const { id, blobs } of packs) {
        indexed.add(id);
        if (marked.has(id) === wanted && stored.get(id) === packBytesOf(blobs)) locations.add(id, blobs);
      }
    }
  const used = blobSet(locations.size);
  await addUsed({ repository, locations, roots: treesOf(roots), used, otherwise: 'nothing is deleted', signal });
  return {
    packs: await countUsed(repository, { stored, locations, used, signal }),
    used,
    locations,
    indexed,
    indexBytes,
  };
}

export interface UsedOptions {
  readonly repository: Repository;
  readonly locations: BlobLocations;
  readonly roots: readonly string[];
  /** Trees in it are not looked into. */
  readonly used: BlobSet;
  /** What follows when something is missing. */
  readonly otherwise: string;
  readonly signal?: AbortSignal | undefined;
}

/** Adds every blob that is reachable from the roots. @throws `RepositoryDamaged` */
export async function addUsed({ repository, locations, roots, used, otherwise, signal }: UsedOptions): Promise<void> {
  await walkTrees({
    repository,
    locations,
    roots,
    seen: used,
    signal,
    visitor: {
      node({ content }, tree) {
        for (const blob of content)
          if (used.add(blob, 'data') && locations.find(blob, 'data') === undefined)
            failDamaged(
              `A blob that a restore point needs is in no whole pack; ${otherwise}`,
              `data blob ${blob} of tree ${tree}`,
            );
      },
      lost: (tree, reason) => failDamaged(`A tree can't be read (${reason}); ${otherwise}`, `tree ${tree}`),
    },
  });
}

interface CountOptions {
  readonly stored: ReadonlyMap<string, number>;
  readonly locations: BlobLocations;
  readonly used: BlobSet;
  readonly signal: AbortSignal | undefined;
}

async function countUsed(
  repository: Repository,
  { stored, locations, used, signal }: CountOptions,
): Promise<readonly PackUsage[]> {
  const usage = new Map([...stored].map(([id, sizeBytes]) => [id, { id, sizeBytes, usedBlobs: 0, usedBytes: 0 }]));
  const counted = new Set<string>();
  for await (const { packs } of readIndexObjects(repository, { signal }))
    for (const { id, blobs } of packs) {
      const pack = usage.get(id);
      if (pack === undefined || counted.has(id)) continue;
      counted.add(id);
      for (const blob of blobs)
        if (used.has(blob.id, blob.type) && locations.find(blob.id, blob.type)?.pack === id) {
          pack.usedBlobs++;
          pack.usedBytes += blob.length;
        }
    }
  return [...usage.values()];
}
