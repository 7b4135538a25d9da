/** Gets sealed blobs from packs: neighbours in one request, packs side by side. What the repository lacks is marked, not thrown. */

import { StorkError } from '../../../kube/errors.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import type { BlobLocation, BlobLocations } from '../blob-locations.ts';
import { packName, type Repository } from '../repository.ts';
import type { FetchedBlob } from './restore-job.ts';

export interface FetchedBlobs {
  readonly blobs: readonly FetchedBlob[];
  readonly buffers: readonly ArrayBuffer[];
  /** Of an id: its place in `blobs`. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** Bytes between two wanted blobs that are cheaper to read than to skip. */
const gapBytes = 64 * 1024;
const requestsAtOnce = 4;

export async function fetchBlobs(
  repository: Repository,
  locations: BlobLocations,
  ids: Iterable<string>,
  signal?: AbortSignal,
): Promise<FetchedBlobs> {
  const found: BlobLocation[] = [];
  const blobs: FetchedBlob[] = [];
  for (const id of new Set(ids)) {
    const blob = locations.find(id, 'data');
    if (blob !== undefined) found.push(blob);
    else
      blobs.push({
        id,
        type: 'data',
        pack: '(no index names one)',
        offset: 0,
        length: 0,
        uncompressedLength: undefined,
        from: undefined,
      });
  }
  const buffers: ArrayBuffer[] = [];
  const read = async (run: readonly BlobLocation[]): Promise<void> => {
    const [first] = run;
    const last = run.at(-1);
    if (first === undefined || last === undefined) return;
    const length = last.offset + last.length - first.offset;
    const bytes = await getOrMissing(repository, first.pack, { offset: first.offset, length }, signal);
    // What is left of a pack that was cut short may still hold some.
    if (bytes === undefined && run.length > 1) {
      for (const blob of run) await read([blob]);
      return;
    }
    const buffer = bytes === undefined ? 0 : buffers.push(ownBuffer(bytes)) - 1;
    for (const blob of run)
      blobs.push({ ...blob, from: bytes === undefined ? undefined : { buffer, offset: blob.offset - first.offset } });
  };
  await mapLimit(runsOf(found), requestsAtOnce, read);
  return { blobs, buffers, numbers: new Map(blobs.map(({ id }, at) => [id, at])) };
}

/** Blobs of one pack that lie close together. */
export function runsOf(blobs: readonly BlobLocation[]): readonly (readonly BlobLocation[])[] {
  const inOrder = [...blobs].sort((left, right) =>
    left.pack === right.pack ? left.offset - right.offset : left.pack < right.pack ? -1 : 1,
  );
  const runs: BlobLocation[][] = [];
  for (const blob of inOrder) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const isNear = last?.pack === blob.pack && blob.offset - (last.offset + last.length) <= gapBytes;
    if (run !== undefined && isNear) run.push(blob);
    else runs.push([blob]);
  }
  return runs;
}

async function getOrMissing(
  { store }: Repository,
  pack: string,
  range: { readonly offset: number; readonly length: number },
  signal: AbortSignal | undefined,
): Promise<Buffer | undefined> {
  try {
    return await store.get(packName(pack), range, signal);
  } catch (error) {
    if (error instanceof StorkError && (error.code === 'ObjectMissing' || error.code === 'ObjectTooShort'))
      return undefined;
    throw error;
  }
}

/** Small buffers share Node's pool, which can't be handed to a thread. */
function ownBuffer(bytes: Buffer): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) return buffer;
  const own = new ArrayBuffer(byteLength);
  new Uint8Array(own).set(bytes);
  return own;
}
