/**
 * Informers → keys → reconcile, with workers. What a reconcile throws is logged and retried with the key's backoff; it never
 * ends the controller. Keys that found no room in the queue are taken up again from the informers once there is some.
 */
import type { Clock } from '../clock.ts';
import { renderError, StorkError } from '../errors.ts';
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
  const sources: { readonly synced: () => Promise<void>; readonly replay: () => void; readonly stop: Disposable }[] =
    [];
  let overflowed = 0;

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
      if (overflowed > 0 && queue.depth < overflowed / 2) takeUpAgain();
    },
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
    try {
      queue.add(key);
    } catch (error) {
      if (!(error instanceof StorkError) || error.code !== 'QueueFull') throw error;
      overflowed = Math.max(1, queue.depth);
      log.warn('work queue is full', { controller: name, key, error: renderError(error) });
    }
    metrics?.depth?.(name, queue.depth);
  };
  const takeUpAgain = () => {
    overflowed = 0;
    for (const source of sources) source.replay();
  };
  return {
    watch<Entry>(informer: Informer<Entry>, toKeys: (change: Change<Entry>) => readonly string[]) {
      const onChange = (change: Change<Entry>) => {
        for (const key of toKeys(change)) enqueue(key);
      };
      const stop = informer.subscribe(onChange);
      const replay = () => {
        for (const [key, entry] of informer.entries()) onChange({ type: 'Added', key, now: entry });
      };
      sources.push({ synced: () => informer.synced(), replay, stop });
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

async function reconcileSafely(reconcile: Reconcile, key: string, signal: AbortSignal): Promise<ReconcileResult> {
  try {
    return await reconcile(key, signal);
  } catch (error) {
    return retry(error);
  }
}
