/**
 * Repeats what a store failed at, as long as it may help. Safe because every call of a store may be repeated (object-store.ts): objects
 * are written once under names of their own, a put finds its earlier try, and nobody puts again what was removed under the same
 * name. Only failures that the store calls retryable are; a listing continues at the page that failed, a read at the byte.
 */
import { listByPages, type ObjectStore, wrapPrivateNames } from './object-store.ts';
import { wrapVersions } from './object-versions.ts';
import { type Patience, patienceOf, type RetryOptions } from './patience.ts';
import { failCutOff } from './store-error.ts';

export function retryStore(store: ObjectStore, options: RetryOptions): ObjectStore {
  const reach = { wasReached: false };
  const begin = () => patienceOf(options, store.description, reach);
  const persist = async <Result>(signal: AbortSignal | undefined, call: () => Promise<Result>): Promise<Result> => {
    for (const patience = begin(); ; ) {
      try {
        signal?.throwIfAborted();
        const result = await call();
        patience.progress();
        return result;
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
    read: (name, range, signal) => readOn({ begin, store, name, range, signal }),
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

interface Reading {
  readonly begin: () => Patience;
  readonly store: ObjectStore;
  readonly name: string;
  readonly range: { readonly offset: number; readonly length: number } | undefined;
  readonly signal: AbortSignal | undefined;
}

async function* readOn({ begin, store, name, range, signal }: Reading): AsyncGenerator<Uint8Array> {
  let received = 0;
  let wanted = range;
  for (const patience = begin(); ; ) {
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
