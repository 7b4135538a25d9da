/**
 * Repeats what a store failed at, as long as it may help. Safe because every call of a store may be repeated (object-store.ts): objects
 * are written once under names of their own, a put finds its earlier try, and nobody puts again what was removed under the same
 * name. Only failures that the store calls retryable are; a listing continues at the page that failed, a read at the byte.
 */
import type { Clock } from '../../../kube/clock.ts';
import { type Backoff, backoffMs } from '../../../kube/runtime/backoff.ts';
import { listByPages, type ObjectStore, wrapPrivateNames } from './object-store.ts';
import { wrapVersions } from './object-versions.ts';
import { failCutOff, StoreError } from './store-error.ts';

export interface RetryLimits {
  readonly backoff: Backoff;
  /** Since the call began or last made progress; then its last failure is thrown. */
  readonly giveUpAfterMs: number;
  /** What a store's own Retry-After is cut to. */
  readonly longestWaitMs: number;
}

export const retryLimits: RetryLimits = {
  backoff: { baseMs: 250, maxMs: 30_000, factor: 2, jitter: 0.5 },
  giveUpAfterMs: 15 * 60_000,
  longestWaitMs: 2 * 60_000,
};

export interface RetryOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly limits?: RetryLimits;
  /** Told before each wait, for logs and metrics. */
  readonly onRetry?: (failure: StoreError, waitMs: number) => void;
}

export function retryStore(store: ObjectStore, options: RetryOptions): ObjectStore {
  const persist = async <Result>(signal: AbortSignal | undefined, call: () => Promise<Result>): Promise<Result> => {
    for (const patience = patienceOf(options); ; ) {
      try {
        signal?.throwIfAborted();
        return await call();
      } catch (error) {
        await patience.wait(error, signal);
      }
    }
  };
  const page: ObjectStore['page'] = (prefix, from, signal) => persist(signal, () => store.page(prefix, from, signal));
  return {
    description: store.description,
    put: (name, bytes, signal) => persist(signal, () => store.put(name, bytes, signal)),
    get: (name, range, signal) => persist(signal, () => store.get(name, range, signal)),
    read: (name, range, signal) => readOn({ ...options, store, name, range, signal }),
    sizeOf: (name, signal) => persist(signal, () => store.sizeOf(name, signal)),
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    remove: (name, signal) => persist(signal, () => store.remove(name, signal)),
    removeMany: (names, signal) => persist(signal, () => store.removeMany(names, signal)),
    removeLeftovers: (before, signal) => persist(signal, () => store.removeLeftovers(before, signal)),
    versions: wrapVersions(store.versions, persist),
    privateNames: wrapPrivateNames(store, persist),
  };
}

interface Reading extends RetryOptions {
  readonly store: ObjectStore;
  readonly name: string;
  readonly range: { readonly offset: number; readonly length: number } | undefined;
  readonly signal: AbortSignal | undefined;
}

async function* readOn({ store, name, range, signal, ...options }: Reading): AsyncGenerator<Uint8Array> {
  let received = 0;
  let wanted = range;
  for (const patience = patienceOf(options); ; ) {
    try {
      signal?.throwIfAborted();
      if (received > 0 && wanted === undefined) {
        const sizeBytes = (await store.sizeOf(name, signal)) ?? failCutOff(name);
        wanted = { offset: 0, length: sizeBytes };
      }
      const rest =
        wanted === undefined ? undefined : { offset: wanted.offset + received, length: wanted.length - received };
      if (rest?.length === 0) return;
      for await (const piece of store.read(name, rest, signal)) {
        received += piece.length;
        patience.progress();
        yield piece;
      }
      return;
    } catch (error) {
      await patience.wait(error, signal);
    }
  }
}

/** How long one call goes on. */
function patienceOf({ clock, random, limits = retryLimits, onRetry }: RetryOptions) {
  let sinceMs = clock.monotonicMs();
  let failures = 0;
  return {
    progress() {
      failures = 0;
      sinceMs = clock.monotonicMs();
    },
    /** Throws `error` when there is no use in another try; the signal's reason when aborted. */
    async wait(error: unknown, signal: AbortSignal | undefined): Promise<void> {
      signal?.throwIfAborted();
      if (!(error instanceof StoreError) || !error.retryable) throw error;
      const waitMs = Math.max(
        backoffMs(limits.backoff, ++failures, random),
        Math.min(error.retryAfterMs ?? 0, limits.longestWaitMs),
      );
      if (clock.monotonicMs() - sinceMs + waitMs > limits.giveUpAfterMs) throw error;
      onRetry?.(error, waitMs);
      await clock.sleep(waitMs, signal);
    },
  };
}
