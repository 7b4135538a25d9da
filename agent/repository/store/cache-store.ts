/**
 * Keeps what is read again and again at hand: indexes, snapshots, and the packs with trees that the caller names, whole, in a second store
 * (a directory that flushes nothing). Only objects named by their digest, and what is kept is held against it before it is used: a
 * damaged or half-written copy is fetched anew. Presence is always asked of the real store, and a cache that fails costs time only.
 */
import { createHash } from 'node:crypto';
import { type ByteRange, listByPages, type ObjectStore } from './object-store.ts';
import { failTooShort } from './store-error.ts';

export interface CacheOptions {
  /** Further objects worth keeping; `index/` and `snapshots/` always are. */
  readonly isWorthKeeping?: (name: string) => boolean;
}

/** Of a whole object. */
interface Fetch {
  readonly bytes: Promise<Buffer>;
  /** Others wait for it, too. */
  isShared: boolean;
}

const digestName = /^(?:.*\/)?([0-9a-f]{64})$/;
const alwaysKept = /^(index|snapshots)\//;

export function cacheStore(
  store: ObjectStore,
  kept: ObjectStore,
  { isWorthKeeping = () => false }: CacheOptions = {},
): ObjectStore {
  /** Held against their names since we began. */
  const proven = new Set<string>();
  const fetching = new Map<string, Fetch>();
  const isKept = (name: string) => digestName.test(name) && (alwaysKept.test(name) || isWorthKeeping(name));

  const keep = async (name: string, bytes: Uint8Array): Promise<void> => {
    if (!isWhole(name, bytes)) return;
    try {
      await kept.put(name, bytes);
    } catch {
      // A copy that can't be kept, or a damaged one in its place: the next reader asks the store again.
      await kept.remove(name).catch(() => undefined);
      return;
    }
    proven.add(name);
  };
  const fetchWhole = async (name: string, signal: AbortSignal | undefined): Promise<Buffer> => {
    const copy = await kept.get(name).catch(() => undefined);
    if (copy !== undefined && isWhole(name, copy)) {
      proven.add(name);
      return copy;
    }
    if (copy !== undefined) await kept.remove(name).catch(() => undefined);
    const bytes = await store.get(name, undefined, signal);
    await keep(name, bytes);
    return bytes;
  };
  /** Of many that want an object at once, one fetches it; whoever is told to stop takes no other along. */
  const whole = async (name: string, signal: AbortSignal | undefined): Promise<Buffer> => {
    const running = fetching.get(name);
    if (running !== undefined) {
      running.isShared = true;
      const bytes = await running.bytes.catch(() => undefined);
      signal?.throwIfAborted();
      return bytes === undefined ? fetchWhole(name, signal) : Buffer.from(bytes);
    }
    const fetch: Fetch = { bytes: fetchWhole(name, signal).finally(() => fetching.delete(name)), isShared: false };
    fetching.set(name, fetch);
    const bytes = await fetch.bytes;
    // Each has bytes of its own: who is through with them may take their memory away.
    return fetch.isShared ? Buffer.from(bytes) : bytes;
  };
  const get = async (name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer> => {
    signal?.throwIfAborted();
    if (!isKept(name)) return store.get(name, range, signal);
    if (range !== undefined && proven.has(name)) {
      const part = await kept.get(name, range).catch(() => undefined);
      if (part !== undefined) return part;
      proven.delete(name);
    }
    const bytes = await whole(name, signal);
    if (range === undefined) return bytes;
    const end = range.offset + range.length;
    return end > bytes.length ? failTooShort(name) : bytes.subarray(range.offset, end);
  };
  const forget = async (names: readonly string[]): Promise<void> => {
    const those = names.filter(isKept);
    for (const name of those) proven.delete(name);
    await kept.removeMany(those).catch(() => undefined);
  };
  const { page } = store;
  return {
    description: store.description,
    async put(name, bytes, signal) {
      await store.put(name, bytes, signal);
      if (isKept(name)) await keep(name, bytes);
    },
    get,
    async *read(name, range, signal) {
      if (isKept(name)) yield await get(name, range, signal);
      else yield* store.read(name, range, signal);
    },
    sizeOf: (name, signal) => store.sizeOf(name, signal),
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    async remove(name, signal) {
      await forget([name]);
      await store.remove(name, signal);
    },
    async removeMany(names, signal) {
      await forget(names);
      await store.removeMany(names, signal);
    },
    async removeLeftovers(before, signal) {
      await kept.removeLeftovers(before, signal).catch(() => undefined);
      return store.removeLeftovers(before, signal);
    },
    // Never through the cache: it knows the present only.
    versions: store.versions,
    privateNames: store.privateNames,
  };
}

/** Removes the copies made longest ago until what stays is within the bound. Returns how many went. */
export async function trimCache(kept: ObjectStore, atMostBytes: number, signal?: AbortSignal): Promise<number> {
  const copies = await Array.fromAsync(kept.list('', signal));
  copies.sort((left, right) => right.modifiedAt.getTime() - left.modifiedAt.getTime());
  let bytes = 0;
  const tooMany = copies.filter(({ sizeBytes }) => {
    bytes += sizeBytes;
    return bytes > atMostBytes;
  });
  await kept.removeMany(
    tooMany.map(({ name }) => name),
    signal,
  );
  return tooMany.length;
}

const isWhole = (name: string, bytes: Uint8Array): boolean =>
  createHash('sha256').update(bytes).digest('hex') === digestName.exec(name)?.[1];
