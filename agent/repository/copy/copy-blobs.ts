/**
 * Copies every blob that a restore point needs into another repository, under that one's key. What is stored (compressed or not) stays, and
 * so does each blob's id, which is the hash of its content; packs are new. What the other one has already is not copied again.
 */
import type { Clock } from '../../../kube/clock.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { createPacker, type FinishedPack, packBufferBytes } from '../backup/packer.ts';
import type { IndexedPack } from '../format/index-file.ts';
import { type BlobType, type PackedBlob, resealBlob } from '../format/pack.ts';
import { ivBytes } from '../format/seal.ts';
import { indexEveryMs, indexWriter } from '../index-writer.ts';
import type { Usage } from '../prune/read-usage.ts';
import { packName, type RandomBytes, type Repository } from '../repository.ts';
import { type BlobSet, blobSet } from '../verify/blob-set.ts';
import { packBytesOf, readIndexObjects } from '../verify/read-index.ts';

export interface CopyProgress {
  readonly blobs: number;
  /** As stored. */
  readonly bytes: number;
  readonly packs: number;
}

export interface CopyOptions {
  readonly source: Repository;
  readonly target: Repository;
  /** Of the source. */
  readonly usage: Pick<Usage, 'used' | 'locations'>;
  /** Packs of the target that count as if they were not there: a writer's marked ones. */
  readonly except?: ReadonlySet<string> | undefined;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly randomBytes: RandomBytes;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

/** Packs that are read and sealed anew at once: with as many new ones, what bounds the memory. */
const packsAtOnce = 2;
/** A larger pack (stock restic makes up to 128 MiB) is read blob by blob. */
const wholePackBytes = 32 * 1024 * 1024;

/** May be killed and repeated: packs that an index of the target names are not copied again. Throws `RepositoryDamaged`. */
export async function copyBlobs(options: CopyOptions): Promise<CopyProgress> {
  const { source, target, usage, except, clock, randomBytes, signal, onProgress } = options;
  const known = await readKnown(target, except, signal);
  const counts = { blobs: 0, bytes: 0, packs: 0 };
  const index = indexWriter((packs) => target.putIndex(packs, signal), { clock, everyMs: indexEveryMs });
  const buffers = bufferPool();
  const newPacker = (type: BlobType) =>
    createPacker({ type, key: target.key, newIv: () => randomBytes(ivBytes), takeBuffer: buffers.take });
  const packers = { data: newPacker('data'), tree: newPacker('tree') };
  const store = async (pack: FinishedPack | undefined) => {
    if (pack === undefined) return;
    const id = await target.putPack(pack.bytes, signal);
    buffers.giveBack(pack.bytes.buffer);
    counts.packs++;
    await index.add({ id, blobs: pack.blobs }, pack.bytes.length);
  };
  const copyPack = async ({ id, blobs }: IndexedPack) => {
    const needed = blobs.filter(
      (blob) =>
        usage.used.has(blob.id, blob.type) &&
        usage.locations.find(blob.id, blob.type)?.pack === id &&
        known.add(blob.id, blob.type),
    );
    for await (const { blob, sealed } of readSealed(source, id, { all: blobs, needed, signal })) {
      const packer = packers[blob.type];
      packer.add(
        blob.id,
        resealBlob({ from: source.key, to: target.key }, sealed, { ...blob, pack: id }, randomBytes(ivBytes)),
      );
      counts.blobs++;
      counts.bytes += blob.length;
      await store(packer.takeFull());
    }
    onProgress?.(counts);
  };
  for await (const { packs } of readIndexObjects(source, { signal }))
    await mapLimit(packs, packsAtOnce, copyPack, signal);
  for (const packer of Object.values(packers)) await store(packer.takeRest());
  await index.finish();
  return counts;
}

/** Used again: what the garbage collector has to find first is memory, too. */
function bufferPool() {
  const spare: ArrayBuffer[] = [];
  return {
    take(bytes: number): ArrayBuffer {
      const fitting = spare.findIndex(({ byteLength }) => byteLength >= bytes);
      return fitting < 0
        ? new ArrayBuffer(Math.max(bytes, packBufferBytes))
        : (spare.splice(fitting, 1)[0] ?? new ArrayBuffer(bytes));
    },
    giveBack: (buffer: ArrayBuffer) => void (spare.length < packsAtOnce && spare.push(buffer)),
  };
}

async function readKnown(
  target: Repository,
  except: ReadonlySet<string> | undefined,
  signal: AbortSignal | undefined,
): Promise<BlobSet> {
  const known = blobSet();
  for await (const { packs } of readIndexObjects(target, { signal }))
    for (const { id: pack, blobs } of packs)
      if (except?.has(pack) !== true) for (const { id, type } of blobs) known.add(id, type);
  return known;
}

interface Wanted {
  readonly all: readonly PackedBlob[];
  readonly needed: readonly PackedBlob[];
  readonly signal: AbortSignal | undefined;
}

async function* readSealed({ store }: Repository, pack: string, { all, needed, signal }: Wanted) {
  if (needed.length === 0) return;
  const neededBytes = needed.reduce((sum, { length }) => sum + length, 0);
  const packBytes = packBytesOf(all);
  const isWhole = packBytes <= wholePackBytes && neededBytes * 4 >= packBytes;
  const bytes = isWhole ? await store.get(packName(pack), { offset: 0, length: packBytes }, signal) : undefined;
  for (const blob of needed) {
    signal?.throwIfAborted();
    const { offset, length } = blob;
    const sealed =
      bytes?.subarray(offset, offset + length) ?? (await store.get(packName(pack), { offset, length }, signal));
    yield { blob, sealed };
  }
}
