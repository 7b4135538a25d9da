/** Keeps a store's use within bounds: requests at once and a second, and bytes a second each way. */
import type { Clock } from '../../../kube/clock.ts';
import { decideConcurrency, fullConcurrency, type RequestEnd } from './concurrency.ts';
import { type ByteRange, listByPages, type ObjectStore, wrapPrivateNames } from './object-store.ts';
import { wrapVersions } from './object-versions.ts';
import { StoreError } from './store-error.ts';

export interface StoreLimits {
  /** At most: fewer while the store says that it is overloaded. */
  readonly requestsAtOnce?: number | undefined;
  readonly uploadBytesPerS?: number | undefined;
  readonly downloadBytesPerS?: number | undefined;
  readonly requestsPerS?: number | undefined;
}

/** Kept on average: an object crosses at full speed, the next waits until the limit allows what crossed. */
export function limitStore(
  store: ObjectStore,
  limits: StoreLimits,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
): ObjectStore {
  const slots = slotsOf(limits.requestsAtOnce ?? Number.POSITIVE_INFINITY);
  const up = pacer(limits.uploadBytesPerS, clock);
  const down = pacer(limits.downloadBytesPerS, clock);
  const begin = pacer(limits.requestsPerS, clock);
  const within = async <Result>(signal: AbortSignal | undefined, run: () => Promise<Result>): Promise<Result> => {
    using slot = await slots.take(signal);
    await begin(1, signal);
    try {
      const result = await run();
      slot.learn('Answered');
      return result;
    } catch (error) {
      slot.learn(endOf(error));
      throw error;
    }
  };
  async function* read(name: string, range?: ByteRange, signal?: AbortSignal) {
    using slot = await slots.take(signal);
    await begin(1, signal);
    try {
      for await (const piece of store.read(name, range, signal)) {
        await down(piece.length, signal);
        yield piece;
      }
      slot.learn('Answered');
    } catch (error) {
      slot.learn(endOf(error));
      throw error;
    }
  }
  const versions = wrapVersions(store.versions, within);
  const page: ObjectStore['page'] = (prefix, from, signal) => within(signal, () => store.page(prefix, from, signal));
  return {
    description: store.description,
    put: (name, bytes, signal) =>
      within(signal, async () => {
        await up(bytes.length, signal);
        await store.put(name, bytes, signal);
      }),
    get: (name, range, signal) =>
      within(signal, async () => {
        const bytes = await store.get(name, range, signal);
        await down(bytes.length, signal);
        return bytes;
      }),
    read,
    sizeOf: (name, signal) => within(signal, () => store.sizeOf(name, signal)),
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    remove: (name, signal) => within(signal, () => store.remove(name, signal)),
    removeMany: (names, signal) => within(signal, () => store.removeMany(names, signal)),
    removeLeftovers: (before, signal) => within(signal, () => store.removeLeftovers(before, signal)),
    privateNames: wrapPrivateNames(store, within),
    versions:
      versions === undefined
        ? undefined
        : {
            ...versions,
            async get(name, id, range, signal) {
              const bytes = await versions.get(name, id, range, signal);
              await down(bytes.length, signal);
              return bytes;
            },
          },
  };
}

/** Waits until what crossed before is paid for. */
function pacer(perS: number | undefined, clock: Pick<Clock, 'monotonicMs' | 'sleep'>) {
  let freeAtMs = 0;
  return async (amount: number, signal: AbortSignal | undefined): Promise<void> => {
    if (perS === undefined) return;
    const nowMs = clock.monotonicMs();
    const waitMs = freeAtMs - nowMs;
    freeAtMs = Math.max(nowMs, freeAtMs) + (amount / perS) * 1000;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
  };
}

const endOf = (error: unknown): RequestEnd =>
  error instanceof StoreError && error.isOverloaded ? 'Overloaded' : 'Failed';

/** First come, first served; as many as the store seems to bear. */
function slotsOf(most: number) {
  let concurrency = fullConcurrency(most);
  let taken = 0;
  const waiting = new Set<() => void>();
  const admit = () => {
    for (const next of waiting) {
      if (taken >= Math.floor(concurrency.limit)) return;
      waiting.delete(next);
      taken++;
      next();
    }
  };
  const slot = {
    learn(ended: RequestEnd) {
      concurrency = decideConcurrency(concurrency, ended, most);
    },
    [Symbol.dispose]() {
      taken--;
      admit();
    },
  };
  return {
    async take(signal: AbortSignal | undefined): Promise<typeof slot> {
      signal?.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.add(resolve);
      admit();
      if (!waiting.has(resolve)) return slot;
      const leave = () => {
        waiting.delete(resolve);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', leave, { once: true });
      await promise.finally(() => signal?.removeEventListener('abort', leave));
      return slot;
    },
  };
}
