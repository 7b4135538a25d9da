/**
 * Informers → keys → reconcile, with workers. What a reconcile throws is logged and retried with the key's backoff; it never
 * ends the controller. Keys that found no room in the queue are taken up again from the informers once there is some.
 */
import type { Clock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Backoff } from './backoff.ts';
import type { Change, Informer } from './informer.ts';
import { type Reconcile, type ReconcileResult, retry } from './reconcile.ts';
import { type WorkQueue, workQueue } from './work-queue.ts';

export interface ControllerMetrics {
  /** Keys waiting, after each change of it. */
  depth?(controller: string, keys: number): void;
  /** One reconcile ended. */
  reconciled?(controller: string, result: ReconcileResult['do'], durationMs: number): void;
}

export interface ControllerOptions {
  /** Lower case; labels logs and metrics. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Reconciles at the same time; 4 unless told. */
  readonly workers?: number | undefined;
  readonly queueLimit?: number | undefined;
  readonly backoff?: Backoff | undefined;
  readonly metrics?: ControllerMetrics | undefined;
  readonly reconcile: Reconcile;
}

export interface Controller {
  /** Adds the keys that `toKeys` names for each change, now and from now on. Every informer's present content counts as added. */
  watch<Entry>(informer: Informer<Entry>, toKeys: (change: Change<Entry>) => readonly string[]): void;
  /** Reconciles a key soon, whatever the informers say. */
  enqueue(key: string): void;
  /** Waits for all informers to be synced, then works until the signal aborts and the last reconcile has ended. */
  run(signal: AbortSignal): Promise<void>;
}

export function createController(options: ControllerOptions): Controller {
  const { name, clock, log, metrics } = options;
  const sources: Source[] = [];
  const backlog = keyBacklog(() => sources);

  const queue: WorkQueue = workQueue({
    clock,
    random: options.random,
    workers: options.workers ?? 4,
    limit: options.queueLimit,
    backoff: options.backoff,
    work: async (key, signal) => {
      const startMs = clock.monotonicMs();
      const result = await reconcileSafely(options.reconcile, key, signal);
      if (signal.aborted) return;
      follow(key, result);
      metrics?.reconciled?.(name, result.do, clock.monotonicMs() - startMs);
      metrics?.depth?.(name, queue.depth);
    },
    onRoom: () => backlog.takeUp(queue.add),
  });
  const follow = (key: string, result: ReconcileResult) => {
    switch (result.do) {
      case 'awaitChange':
        return queue.forget(key);
      case 'requeue':
        queue.forget(key);
        return queue.addAfter(key, result.seconds * 1000);
      case 'retry': {
        const delayMs = queue.addWithBackoff(key);
        const failures = queue.failures(key);
        return log.warn('reconcile failed, will retry', {
          controller: name,
          key,
          failures,
          delayMs,
          error: result.error,
        });
      }
      default:
        return result satisfies never;
    }
  };
  const enqueue = (key: string) => {
    if (!fits(queue.add, key)) {
      backlog.refused();
      log.warn('work queue is full, the key is taken up later', { controller: name, key });
    }
    metrics?.depth?.(name, queue.depth);
  };
  return {
    watch<Entry>(informer: Informer<Entry>, toKeys: (change: Change<Entry>) => readonly string[]) {
      const onChange = (change: Change<Entry>) => {
        for (const key of toKeys(change)) enqueue(key);
      };
      const stop = informer.subscribe(onChange);
      const keys = function* () {
        for (const [key, now] of informer.entries()) yield* toKeys({ type: 'Added', key, now });
      };
      sources.push({ synced: () => informer.synced(), keys, stop });
    },
    enqueue,
    async run(signal) {
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([Promise.all(sources.map((source) => source.synced())), aborted]);
      if (!signal.aborted) queue.start();
      await aborted;
      for (const source of sources) source.stop[Symbol.dispose]();
      await queue.stop(signal.reason);
    },
  };
}

interface Source {
  synced(): Promise<void>;
  /** Keys of everything the informer holds now. */
  keys(): Iterable<string>;
  readonly stop: Disposable;
}

/**
 * Keys that found no room are not kept: the informers know them. Once there is room, all keys are walked through, some at
 * a time, until a whole walk met no refusal: none is left out, and a reconcile too many does no harm.
 */
function keyBacklog(sources: () => readonly Source[]) {
  let refusals: 'None' | 'Some' = 'None';
  let walk: Iterator<string> | undefined;
  let held: string | undefined;
  const allKeys = function* () {
    for (const source of sources()) yield* source.keys();
  };
  return {
    refused() {
      refusals = 'Some';
    },
    takeUp(add: (key: string) => void) {
      if (walk === undefined && refusals === 'None') return;
      if (walk === undefined) refusals = 'None';
      walk ??= allKeys();
      for (;;) {
        const next = held === undefined ? walk.next() : { done: false, value: held };
        if (next.done === true) break;
        held = next.value;
        if (!fits(add, next.value)) return;
        held = undefined;
      }
      walk = undefined;
    },
  };
}

function fits(add: (key: string) => void, key: string): boolean {
  try {
    add(key);
    return true;
  } catch (error) {
    if (error instanceof StorkError && error.code === 'QueueFull') return false;
    throw error;
  }
}

async function reconcileSafely(reconcile: Reconcile, key: string, signal: AbortSignal): Promise<ReconcileResult> {
  try {
    return await reconcile(key, signal);
  } catch (error) {
    return retry(error);
  }
}
