/**
 * One watch on the fake: the history after its resourceVersion, then what comes; bookmarks; an end after a while, as the
 * real server's. An object that starts or stops matching the selector is seen as ADDED or DELETED.
 */
import type { AnyObject, WatchEvent } from '../client/client.ts';
import type { Clock } from '../clock.ts';
import { ApiError, StorkError } from '../errors.ts';
import type { RefusedKind } from './api-refusals.ts';
import { resourceExpired } from './api-refusals.ts';
import type { ObjectStore, StoredChange } from './object-store.ts';

export const bookmarkEveryMs = 60_000;
export const watchLifeMs = 300_000;

export interface FakeWatch {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly collection: string;
  readonly kind: RefusedKind;
  readonly resourceVersion: string;
  /** Whether the watch sees this object. */
  readonly matches: (object: AnyObject) => boolean;
  readonly signal: AbortSignal | undefined;
}

/** What tests do to open watches. */
export interface WatchControls {
  bookmark(): void;
  /** Closes the connection in order. */
  end(): void;
  /** Breaks the connection: the watcher's iteration rejects. */
  drop(): void;
  /** Withholds events until called with 'Flowing'. */
  flow(state: 'Flowing' | 'Stalled'): void;
}

export function openFakeWatch(watch: FakeWatch, open: Set<WatchControls>): AsyncIterable<WatchEvent<AnyObject>> {
  return { [Symbol.asyncIterator]: () => iterateWatch(watch, open) };
}

async function* iterateWatch(watch: FakeWatch, open: Set<WatchControls>): AsyncGenerator<WatchEvent<AnyObject>> {
  const { store, signal } = watch;
  signal?.throwIfAborted();
  const queue: WatchEvent<AnyObject>[] = initialEvents(watch);
  let finished: { readonly error: unknown } | 'Normally' | undefined;
  let stalled = false;
  let wake = Promise.withResolvers<void>();
  const notify = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const push = (event: WatchEvent<AnyObject> | undefined) => {
    if (event !== undefined) queue.push(event);
    notify();
  };
  const finish = (how: { readonly error: unknown } | 'Normally') => {
    finished ??= how;
    notify();
  };
  const bookmark = () => push({ type: 'BOOKMARK', resourceVersion: String(store.revision) });
  const controls: WatchControls = {
    bookmark,
    end: () => finish('Normally'),
    drop: () => finish({ error: connectionDropped() }),
    flow(state) {
      stalled = state === 'Stalled';
      notify();
    },
  };
  const onAbort = () => finish({ error: signal?.reason });
  signal?.addEventListener('abort', onAbort, { once: true });
  open.add(controls);
  using _changes = store.subscribe((change) => push(eventOf(watch, change)));
  using _bookmarks = every(watch.clock, bookmarkEveryMs, bookmark);
  using _life = watch.clock.after(watchLifeMs, controls.end);
  try {
    for (;;) {
      const event = stalled ? undefined : queue.shift();
      if (signal?.aborted) throw signal.reason;
      if (event !== undefined) yield event;
      else if (finished === 'Normally') return;
      else if (finished !== undefined) throw finished.error;
      else await wake.promise;
    }
  } finally {
    open.delete(controls);
    signal?.removeEventListener('abort', onAbort);
  }
}

const connectionDropped = () =>
  new StorkError({
    code: 'ApiServerUnreachable',
    message: 'The connection to the API server was lost.',
    retryable: true,
  });

function initialEvents(watch: FakeWatch): WatchEvent<AnyObject>[] {
  const { store, resourceVersion, collection } = watch;
  if (resourceVersion === '' || resourceVersion === '0') {
    const present = store.all(collection).filter(({ object }) => watch.matches(object));
    return present.map(({ object }) => ({ type: 'ADDED', object }));
  }
  if (!/^\d+$/.test(resourceVersion)) {
    const message = `Invalid value: ${JSON.stringify(resourceVersion)}: invalid resource version`;
    throw new ApiError({ code: 400, reason: 'BadRequest', message }, watch.kind.plural);
  }
  if (Number(resourceVersion) < store.compactedRevision) throw resourceExpired(watch.kind, resourceVersion);
  return store.changesAfter(Number(resourceVersion)).flatMap((change) => eventOf(watch, change) ?? []);
}

function eventOf(watch: FakeWatch, change: StoredChange): WatchEvent<AnyObject> | undefined {
  if (change.collection !== watch.collection) return undefined;
  const was = change.before !== undefined && watch.matches(change.before);
  const is = change.type === 'Put' && watch.matches(change.after);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: change.after };
  return was ? { type: 'DELETED', object: change.after } : undefined;
}

function every(clock: Clock, ms: number, run: () => void): Disposable {
  let timer: Disposable | undefined;
  const again = () => {
    timer = clock.after(ms, () => {
      run();
      again();
    });
  };
  again();
  return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}
