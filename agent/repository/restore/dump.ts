/** One file of a snapshot as a stream: a few blobs ahead of its reader, nothing that isn't proven. */
import type { BlobLocation, BlobLocations } from '../blob-locations.ts';
import type { TreeNode } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import { failDamaged } from '../repository-error.ts';

const blobsAhead = 4;

/** @throws `RepositoryDamaged`, `ObjectMissing`, … before any wrong byte is given */
export async function* dumpFile(
  repository: Repository,
  locations: BlobLocations,
  node: Pick<TreeNode, 'content'>,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const ahead: Promise<Buffer>[] = [];
  for (const id of node.content) {
    const reading = repository.readBlob(contentBlob(locations, id), signal);
    // Who waits for it sees its failure; until then nobody does.
    reading.catch(() => undefined);
    ahead.push(reading);
    if (ahead.length < blobsAhead) continue;
    const first = await ahead.shift();
    if (first !== undefined) yield first;
  }
  for (const reading of ahead) yield await reading;
}

/** Throws `RepositoryDamaged` for a blob of a file that no index names. */
export const contentBlob = (locations: BlobLocations, id: string): BlobLocation =>
  locations.find(id, 'data') ?? failDamaged('No index names a blob of the file', `data blob ${id}`);
