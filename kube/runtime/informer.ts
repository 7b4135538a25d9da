/**
 * A live, projected copy of all objects of one kind: list page by page, then watch. Only what `project` returns is kept, so
 * ten thousand pods cost megabytes, not hundreds. Survives 410, dropped and silent connections (the client's watchdog ends
 * those) by resuming the watch, or listing again with backoff; subscribers then see only the differences.
 * An object deleted and made again under its name is seen as Deleted, then Added, also when both fell into a gap.
 * Order: changes of one object arrive in order, and the cache is updated before subscribers are told.
 */
import type { KubeClient, KubeObject, Resource } from '../client/client.ts';
import type { Clock } from '../clock.ts';
import { isGone } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Backoff, backoffMs, connectionBackoff } from './backoff.ts';
import { createStore } from './informer-store.ts';
import { keyOf } from './key.ts';

export type Change<Entry> =
  | { readonly type: 'Added'; readonly key: string; readonly now: Entry }
  | { readonly type: 'Changed'; readonly key: string; readonly before: Entry; readonly now: Entry }
  | { readonly type: 'Deleted'; readonly key: string; readonly before: Entry };

/** What to watch and what to keep of it: a value, defined once and shared (informer-set.ts shares by its identity). */
export interface InformerDefinition<T extends KubeObject, Entry> {
  readonly resource: Resource<T>;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** What we use of an object, copied out (a few hundred bytes); `undefined` when we use nothing of it. Pure. */
  project(object: T): Entry | undefined;
  /** Named extra indexes: the values an entry is found by. */
  readonly indexers?: Readonly<Record<string, (entry: Entry) => readonly string[]>> | undefined;
}

export interface InformerEnvironment {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** A number in [0, 1) each call. */
  readonly random: () => number;
  readonly log: Log;
  readonly backoff?: Backoff | undefined;
  readonly pageSize?: number | undefined;
}

export interface Informer<Entry> extends AsyncDisposable {
  /** Resolves when the first list is in the cache; rejects when disposed or aborted before. */
  synced(signal?: AbortSignal): Promise<void>;
  /** `key` is `namespace/name`, or `name` for cluster-scoped kinds. */
  find(key: string): Entry | undefined;
  entries(): Iterable<readonly [key: string, entry: Entry]>;
  inNamespace(namespace: string): readonly Entry[];
  /** Entries of a named indexer. @throws TypeError for an index that was not defined */
  by(index: string, value: string): readonly Entry[];
  readonly size: number;
  /** Tells of each change; what is already cached is told as Added, before this returns. What it throws is logged. */
  subscribe(onChange: (change: Change<Entry>) => void): Disposable;
}

export function startInformer<T extends KubeObject, Entry>(
  definition: InformerDefinition<T, Entry>,
  environment: InformerEnvironment,
): Informer<Entry> {
  const log = environment.log.with({ informer: definition.resource.plural });
  const stop = new AbortController();
  const synced = Promise.withResolvers<void>();
  synced.promise.catch(() => {});
  const subscribers = new Set<(change: Change<Entry>) => void>();
  const tellOne = (subscriber: (change: Change<Entry>) => void, change: Change<Entry>) => {
    try {
      subscriber(change);
    } catch (error) {
      log.error('a subscriber failed', { key: change.key, error });
    }
  };
  const store = createStore<T, Entry>(definition, (change) => {
    for (const subscriber of subscribers) tellOne(subscriber, change);
  });

  const list = async (): Promise<string> => {
    const pass = store.beginRelist();
    const { client, pageSize } = environment;
    const options = { ...selection(definition), pageSize, signal: stop.signal };
    let page = await client.listPage(definition.resource, options);
    for (const object of page.items) pass.put(object);
    while (page.continueToken !== undefined) {
      page = await client.listPage(definition.resource, { ...options, continueToken: page.continueToken });
      for (const object of page.items) pass.put(object);
    }
    pass.finish();
    return page.resourceVersion;
  };
  const watch = async (from: string, onProgress: (resourceVersion: string) => void): Promise<void> => {
    const events = environment.client.watch(definition.resource, {
      ...selection(definition),
      resourceVersion: from,
      signal: stop.signal,
    });
    for await (const event of events) {
      if (event.type === 'BOOKMARK') {
        onProgress(event.resourceVersion);
        continue;
      }
      if (event.type === 'DELETED') store.delete(keyOf(event.object));
      else store.put(event.object);
      if (event.object.metadata.resourceVersion !== undefined) onProgress(event.object.metadata.resourceVersion);
    }
  };
  const loop = followLoop({ environment, log, signal: stop.signal, list, watch, onSynced: () => synced.resolve() });

  return {
    synced: (signal) => (signal === undefined ? synced.promise : raceAbort(synced.promise, signal)),
    find: store.find,
    entries: store.entries,
    inNamespace: store.inNamespace,
    by: store.by,
    get size() {
      return store.size;
    },
    subscribe(onChange) {
      for (const [key, now] of store.entries()) tellOne(onChange, { type: 'Added', key, now });
      subscribers.add(onChange);
      return { [Symbol.dispose]: () => void subscribers.delete(onChange) };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      synced.reject(stop.signal.reason);
      await loop;
      subscribers.clear();
    },
  };
}

interface FollowLoop {
  readonly environment: InformerEnvironment;
  readonly log: Log;
  readonly signal: AbortSignal;
  list(): Promise<string>;
  watch(from: string, onProgress: (resourceVersion: string) => void): Promise<void>;
  onSynced(): void;
}

/** A watch that lived this long ended normally; a shorter one counts as a failure, so that it can't spin. */
const healthyWatchMs = 5_000;

async function followLoop({ environment, log, signal, list, watch, onSynced }: FollowLoop): Promise<void> {
  const { clock, random, backoff = connectionBackoff } = environment;
  let resourceVersion: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    const startMs = clock.monotonicMs();
    try {
      if (resourceVersion === undefined) {
        resourceVersion = await list();
        onSynced();
      }
      await watch(resourceVersion, (seen) => {
        resourceVersion = seen;
        failures = 0;
      });
    } catch (error) {
      if (signal.aborted) return;
      const gone = isGone(error);
      log[gone ? 'info' : 'warn'](gone ? 'history is gone, listing again' : 'connection failed', { error, failures });
      if (gone) resourceVersion = undefined;
    }
    failures = clock.monotonicMs() - startMs >= healthyWatchMs ? 0 : failures + 1;
    if (failures === 0) continue;
    await clock.sleep(backoffMs(backoff, failures, random), signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

function selection<T extends KubeObject, Entry>(definition: InformerDefinition<T, Entry>) {
  const { namespace, labelSelector, fieldSelector } = definition;
  return { namespace, labelSelector, fieldSelector };
}

function raceAbort(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
