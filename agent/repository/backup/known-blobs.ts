/** What a backup has to know of a repository: which blobs it has, and where trees lie. Sixteen bytes a blob, mostly. */
import { type BlobLocations, blobLocations } from '../blob-locations.ts';
import type { IndexVisitor } from '../format/scan-index.ts';
import type { Repository } from '../repository.ts';
import { againWhenReplaced, visitIndexes } from '../verify/read-index.ts';
import { addClaimTable, type ClaimTables, claims, isCrowded } from './claims.ts';

export interface KnownBlobs {
  readonly trees: BlobLocations;
  /** For `claims`: all blobs. */
  readonly tables: ClaimTables;
}

/** How many are claimed between two looks at how full the last table is. */
const looksEvery = 1024;

/** @param except packs that count as if they were not there: a writer's marked ones */
export const readKnownBlobs = (
  repository: Pick<Repository, 'store' | 'key'>,
  signal: AbortSignal | undefined,
  except: ReadonlySet<string> | undefined,
): Promise<KnownBlobs> =>
  againWhenReplaced(async () => {
    const trees = blobLocations();
    const tables: ClaimTables = [];
    addClaimTable(tables);
    const known = claims(tables);
    let claimed = 0;
    let pack = '';
    const visitor: IndexVisitor = {
      pack(id) {
        pack = id;
        return except?.has(id) !== true;
      },
      blob(id, blob) {
        if (claimed++ % looksEvery === 0 && isCrowded(tables)) addClaimTable(tables);
        known.claim(id, blob.type);
        if (blob.type === 'tree') trees.addOne(pack, id, blob);
      },
    };
    await visitIndexes(repository, { signal }, visitor);
    return { trees, tables };
  });
