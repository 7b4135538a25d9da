/** What a backup has to know of a repository: which blobs it has, and where trees lie. Sixteen bytes a blob, mostly. */
import { type BlobLocations, blobLocations } from '../blob-locations.ts';
import type { Repository } from '../repository.ts';
import { againWhenReplaced, readIndexObjects } from '../verify/read-index.ts';
import { claims, isCrowded, largerTable, newClaimTable } from './claims.ts';

export interface KnownBlobs {
  readonly trees: BlobLocations;
  /** For `claims`: all blobs. */
  readonly table: SharedArrayBuffer;
}

const leastSlots = 64 * 1024;
/** How many are claimed between two looks at how full the table is. */
const looksEvery = 1024;

/** @param except packs that count as if they were not there: a writer's marked ones */
export const readKnownBlobs = (
  repository: Pick<Repository, 'store' | 'key'>,
  signal: AbortSignal | undefined,
  except: ReadonlySet<string> | undefined,
): Promise<KnownBlobs> =>
  againWhenReplaced(async () => {
    const trees = blobLocations();
    let table = newClaimTable(leastSlots);
    let known = claims([table]);
    let claimed = 0;
    const bytes = Buffer.alloc(32);
    for await (const { packs } of readIndexObjects(repository, { signal }))
      for (const { id: pack, blobs } of packs) {
        if (except?.has(pack) === true) continue;
        const those = blobs.filter(({ type }) => type === 'tree');
        if (those.length > 0) trees.add(pack, those);
        for (const { id, type } of blobs) {
          if (claimed++ % looksEvery === 0 && isCrowded([table])) {
            table = largerTable(table);
            known = claims([table]);
          }
          bytes.write(id, 'hex');
          known.claim(bytes, type);
        }
      }
    return { trees, table };
  });
