/**
 * Ends calls that would wait forever, for SDKs that bound no request by themselves: a server that took a request and never answers looks
 * like one that is slow, and so does a network that lost it.
 */
import type { Clock } from '../../../kube/clock.ts';
import {
  type ByteRange,
  collect,
  listByPages,
  type ObjectStore,
  removeEach,
  wrapPrivateNames,
} from './object-store.ts';
import { wrapVersions } from './object-versions.ts';
import { unavailable } from './store-error.ts';
import { silenceError } from './transport-error.ts';

export interface SilenceBounds {
  /** Until an answer, or between two pieces of one. */
  readonly silentAtMostMs: number;
  /** An upload says nothing until its end: it may take so much longer. */
  readonly uploadBytesPerS: number;
}

const silenceBounds: SilenceBounds = { silentAtMostMs: 120_000, uploadBytesPerS: 16 * 1024 };

/** Throws a retryable `StoreUnavailable` that counts as no answer. What was silent is told to stop, and not waited for. */
export function silenceStore(
  store: ObjectStore,
  clock: Pick<Clock, 'after'>,
  { silentAtMostMs, uploadBytesPerS }: SilenceBounds = silenceBounds,
): ObjectStore {
  const within = async <Result>(
    signal: AbortSignal | undefined,
    call: (stop: AbortSignal) => Promise<Result>,
    uploadBytes = 0,
  ): Promise<Result> => {
    const silent = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const boundMs = silentAtMostMs + (uploadBytes / uploadBytesPerS) * 1000;
    using _bound = clock.after(boundMs, () => {
      const failure = silence(boundMs, store.description);
      silent.abort(failure);
      reject(failure);
    });
    const stop = signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]);
    return await Promise.race([call(stop), promise]);
  };
  async function* read(name: string, range?: ByteRange, signal?: AbortSignal) {
    const left = new AbortController();
    const stop = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
    const pieces = store.read(name, range, stop)[Symbol.asyncIterator]();
    let isOver = false;
    try {
      for (;;) {
        const next = await within(signal, () => pieces.next());
        isOver = next.done === true;
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // It may be in the midst of what never comes.
      if (!isOver) {
        left.abort(new DOMException('No more of it is read', 'AbortError'));
        pieces.return?.().catch(() => undefined);
      }
    }
  }
  const page: ObjectStore['page'] = (prefix, from, signal) => within(signal, (stop) => store.page(prefix, from, stop));
  const remove: ObjectStore['remove'] = (name, signal) => within(signal, (stop) => store.remove(name, stop));
  return {
    description: store.description,
    put: (name, bytes, signal) => within(signal, (stop) => store.put(name, bytes, stop), bytes.length),
    get: (name, range, signal) => collect(read(name, range, signal), range?.length),
    read,
    sizeOf: (name, signal) => within(signal, (stop) => store.sizeOf(name, stop)),
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    remove,
    removeMany: (names, signal) => removeEach(remove, names, signal),
    removeLeftovers: (before, signal) => within(signal, (stop) => store.removeLeftovers(before, stop)),
    privateNames: wrapPrivateNames(store, within),
    versions: wrapVersions(store.versions, (signal, call) => within(signal, call)),
  };
}

function silence(boundMs: number, about: string) {
  const cause = silenceError(`it said nothing for ${Math.round(boundMs / 1000)} s`);
  return unavailable(cause.message, about, { cause });
}
