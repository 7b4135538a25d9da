/**
 * Room for cleaning up: an object that is given away when the store is full, so that locks, marks and a new index still fit
 * before anything can be deleted. The collector puts it back.
 */
import { StorkError } from '../../../kube/errors.ts';
import type { RandomBytes } from '../repository.ts';
import type { ObjectStore } from '../store/object-store.ts';

export const reserveName = 'stork/reserve';
const mebibyte = 1024 * 1024;
const smallestBytes = mebibyte;
const largestBytes = 64 * mebibyte;

/** Twice what the index takes now: old and new lie side by side for a moment. */
export const decideReserveBytes = (indexBytes: number): number =>
  Math.min(largestBytes, Math.max(smallestBytes, Math.ceil((2 * indexBytes) / mebibyte) * mebibyte));

export const isStoreFull = (error: unknown): boolean => error instanceof StorkError && error.code === 'StoreFull';

/** Runs a small write again with the reserve given away rather than fail. Throws `StoreFull` when there is none. */
export async function withReserve<Result>(store: ObjectStore, write: () => Promise<Result>): Promise<Result> {
  try {
    return await write();
  } catch (error) {
    if (!isStoreFull(error) || (await store.sizeOf(reserveName)) === undefined) throw error;
    await store.remove(reserveName);
    return await write();
  }
}

export const putWithReserve = (store: ObjectStore, name: string, bytes: Uint8Array): Promise<void> =>
  withReserve(store, () => store.put(name, bytes));

/**
 * Puts the reserve back, or makes it larger; a store without room for it is no failure. Where older versions are kept there is none:
 * giving it away would free nothing.
 */
export async function ensureReserve(store: ObjectStore, indexBytes: number, randomBytes: RandomBytes): Promise<void> {
  if ((await store.versions?.areKept()) === 'Yes') return;
  const wanted = decideReserveBytes(indexBytes);
  const before = await store.sizeOf(reserveName);
  if (before !== undefined && before >= wanted) return;
  try {
    if (before !== undefined) await store.remove(reserveName);
    // Random: zeros take no room where the storage compresses.
    await store.put(reserveName, randomBytes(wanted));
  } catch (error) {
    if (!isStoreFull(error)) throw error;
  }
}
