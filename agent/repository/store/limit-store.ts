/** Keeps a store's use within bounds: requests at once, and bytes a second each way. */
import type { Clock } from '../../../kube/clock.ts';
import { type ByteRange, listByPages, type ObjectStore } from './object-store.ts';
import { wrapVersions } from './object-versions.ts';

export interface StoreLimits {
  readonly requestsAtOnce?: number | undefined;
  readonly uploadBytesPerS?: number | undefined;
  readonly downloadBytesPerS?: number | undefined;
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
  const within = async <Result>(signal: AbortSignal | undefined, run: () => Promise<Result>): Promise<Result> => {
    using _slot = await slots.take(signal);
    return await run();
  };
  async function* read(name: string, range?: ByteRange, signal?: AbortSignal) {
    using _slot = await slots.take(signal);
    for await (const piece of store.read(name, range, signal)) {
      await down(piece.length, signal);
      yield piece;
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
function pacer(bytesPerS: number | undefined, clock: Pick<Clock, 'monotonicMs' | 'sleep'>) {
  let freeAtMs = 0;
  return async (bytes: number, signal: AbortSignal | undefined): Promise<void> => {
    if (bytesPerS === undefined) return;
    const nowMs = clock.monotonicMs();
    const waitMs = freeAtMs - nowMs;
    freeAtMs = Math.max(nowMs, freeAtMs) + (bytes / bytesPerS) * 1000;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
  };
}

/** First come, first served. */
function slotsOf(count: number) {
  let free = count;
  const waiting = new Set<() => void>();
  const give = () => {
    const [next] = waiting;
    if (next === undefined) {
      free++;
      return;
    }
    waiting.delete(next);
    next();
  };
  return {
    async take(signal: AbortSignal | undefined): Promise<Disposable> {
      signal?.throwIfAborted();
      if (free > 0) free--;
      else {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const leave = () => {
          waiting.delete(resolve);
          reject(signal?.reason);
        };
        waiting.add(resolve);
        signal?.addEventListener('abort', leave, { once: true });
        await promise.finally(() => signal?.removeEventListener('abort', leave));
      }
      return { [Symbol.dispose]: give };
    },
  };
}
