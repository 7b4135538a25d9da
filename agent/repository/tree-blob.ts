/**
 * Reads tree blobs. A large one (a directory of more than some ten thousand entries) stays compressed in memory: it is proven by its hash
 * first, then read once more, node by node.
 */
import type { BlobLocation } from './blob-locations.ts';
import { proveBlob } from './format/pack.ts';
import { nodeTexts } from './format/split-nodes.ts';
import { readNodes, readTree, type TreeNode, wholeLimitBytes } from './format/tree.ts';
import { zstdPieces } from './format/zstd-pieces.ts';
import { packName, type Repository } from './repository.ts';

type Readable = Pick<Repository, 'store' | 'key' | 'readBlob'>;

/** The nodes, in order; the iterable may be used once. Throws `RepositoryDamaged`, also while it is read; what the store throws. */
export async function treeNodes(
  repository: Readable,
  blob: BlobLocation,
  signal?: AbortSignal,
): Promise<Iterable<TreeNode>> {
  const about = `tree blob ${blob.id}`;
  const large = await openLarge(repository, blob, signal);
  return large === undefined ? readTree(await repository.readBlob(blob, signal), about) : readNodes(large, about);
}

/** The texts of a large tree's nodes, once, each valid until the next is asked for; undefined: `readBlob` is the way to read it. */
export async function openLarge(
  { store, key }: Readable,
  blob: BlobLocation,
  signal?: AbortSignal,
): Promise<Iterable<Buffer> | undefined> {
  const { id, pack, offset, length, uncompressedLength = 0 } = blob;
  const pieces = zstdPieces();
  if (uncompressedLength <= wholeLimitBytes || pieces === undefined) return undefined;
  const sealed = await store.get(packName(pack), { offset, length }, signal);
  const frame = proveBlob(key, sealed, blob, pack);
  const about = `tree blob ${id} in pack ${pack}`;
  return frame === undefined ? undefined : nodeTexts(pieces(frame, about), about);
}
