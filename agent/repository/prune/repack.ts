/** Copies the used blobs of packs with much waste into new packs, each proven on the way, and writes their index. The old ones stay. */
import { createPacker, type FinishedPack } from '../backup/packer.ts';
import type { PackToIndex } from '../format/index-file.ts';
import { type BlobType, unsealBlob } from '../format/pack.ts';
import { ivBytes } from '../format/seal.ts';
import { withReserve } from '../locks/reserve.ts';
import { packName, type RandomBytes, type Repository } from '../repository.ts';
import { isDamage } from '../verify/read-document.ts';
import { readIndexObjects } from '../verify/read-index.ts';
import type { Usage } from './read-usage.ts';

export interface RepackResult {
  /** Whose used blobs are all in new packs that an index names. */
  readonly copied: readonly string[];
  /** Left as they are: some of their bytes are damaged. */
  readonly damaged: readonly string[];
}

export async function repack(
  repository: Repository,
  { used, locations }: Usage,
  wanted: readonly string[],
  randomBytes: RandomBytes,
  signal?: AbortSignal,
): Promise<RepackResult> {
  const [left, copied, damaged] = [new Set(wanted), new Set<string>(), [] as string[]];
  if (left.size === 0) return { copied: [], damaged };
  const written: PackToIndex[] = [];
  const packers = Object.fromEntries(
    (['data', 'tree'] as const).map((type) => [type, newPacker(repository, type, randomBytes)]),
  ) as Record<BlobType, ReturnType<typeof createPacker>>;
  const store = async (pack: FinishedPack | undefined) => {
    if (pack !== undefined) written.push({ id: await repository.putPack(pack.bytes, signal), blobs: pack.blobs });
  };
  for await (const { packs } of readIndexObjects(repository, { signal }))
    for (const { id, blobs } of packs) {
      if (!left.delete(id)) continue;
      signal?.throwIfAborted();
      const needed = blobs.filter(
        (blob) => used.has(blob.id, blob.type) && locations.find(blob.id, blob.type)?.pack === id,
      );
      try {
        const bytes = await repository.store.get(packName(id), undefined, signal);
        const sealed = needed.map((blob) => Buffer.from(bytes.subarray(blob.offset, blob.offset + blob.length)));
        for (const [number, blob] of needed.entries()) unsealBlob(repository.key, sealed[number] ?? bytes, blob, id);
        for (const [number, blob] of needed.entries()) {
          const packer = packers[blob.type];
          packer.add(blob.id, { sealed: sealed[number] ?? bytes, uncompressedLength: blob.uncompressedLength });
          await store(packer.takeFull());
        }
        copied.add(id);
      } catch (error) {
        if (!isDamage(error)) throw error;
        damaged.push(id);
      }
    }
  for (const packer of Object.values(packers)) await store(packer.takeRest());
  if (written.length > 0) await withReserve(repository.store, () => repository.putIndex(written, signal));
  return { copied: [...copied], damaged };
}

const newPacker = ({ key }: Repository, type: BlobType, randomBytes: RandomBytes) =>
  createPacker({
    type,
    key,
    newIv: () => randomBytes(ivBytes),
    takeBuffer: (bytes) => new ArrayBuffer(bytes),
  });
