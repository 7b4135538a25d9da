/**
 * A queue of keys with workers. A key is queued once however often it is added; it is never worked on by two workers at
 * once (an add during its work runs it again afterwards); each key has its own backoff; delayed keys wait without a
 * worker. Bounded: at most `limit` distinct keys. Time and randomness come in by parameter.
 */
import type { Clock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import { type Backoff, backoffMs, reconcileBackoff } from './backoff.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** A number in [0, 1) each call. */
  readonly random: () => number;
  /** Keys worked on at the same time. */
  readonly workers: number;
  /** Distinct keys waiting, delayed or running; 100,000 unless told. */
  readonly limit?: number | undefined;
  readonly backoff?: Backoff | undefined;
  /** Called for one key; must not reject (a rejection is a bug and stops the queue's `stop` from resolving cleanly). */
  work(key: string, signal: AbortSignal): Promise<void>;
  /** Called when a key's work has ended, so there may be room. */
  onRoom?(): void;
}

export interface WorkQueue {
  /** Works on the key soon. @throws StorkError `QueueFull` (retryable) when the key is new and there is no room. */
  add(key: string): void;
  /** Works on the key after `ms`, or earlier when something adds it. Of several delays the shortest counts. */
  addAfter(key: string, ms: number): void;
  /** As `addAfter` with the key's backoff, which grows with each call until `forget`. Returns the delay in ms. */
  addWithBackoff(key: string): number;
  /** The key succeeded: its backoff starts anew. */
  forget(key: string): void;
  /** Failures in a row of a key. */
  failures(key: string): number;
  /** Keys ready but not yet worked on. */
  readonly depth: number;
  /** Starts the workers; keys may be added before. */
  start(): void;
  /** Takes no more keys, aborts the running work's signal, resolves when the last worker ended. */
  stop(reason?: unknown): Promise<void>;
}

export function workQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, random, workers, limit = 100_000, backoff = reconcileBackoff } = options;
  const ready = new Set<string>();
  const delayed = new Map<string, { readonly dueMs: number; readonly timer: Disposable }>();
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const failures = new Map<string, number>();
  const stopping = new AbortController();
  let started = false;

  const admit = (key: string) => {
    if (ready.has(key) || delayed.has(key) || running.has(key)) return;
    if (ready.size + delayed.size + running.size < limit) return;
    throw new StorkError({
      code: 'QueueFull',
      message: `the work queue holds its limit of ${limit} keys`,
      about: key,
      hint: 'Nothing to do: the key is taken up again once there is room.',
      retryable: true,
    });
  };
  const pump = () => {
    for (const key of ready) {
      if (!started || stopping.signal.aborted || running.size >= workers) return;
      ready.delete(key);
      const work = options.work(key, stopping.signal).finally(() => {
        running.delete(key);
        if (again.delete(key)) ready.add(key);
        options.onRoom?.();
        pump();
      });
      running.set(key, work);
    }
  };
  const cancelDelay = (key: string) => {
    delayed.get(key)?.timer[Symbol.dispose]();
    delayed.delete(key);
  };
  const add = (key: string) => {
    if (stopping.signal.aborted) return;
    admit(key);
    cancelDelay(key);
    if (running.has(key)) again.add(key);
    else ready.add(key);
    pump();
  };
  const addAfter = (key: string, ms: number) => {
    if (ms <= 0) return add(key);
    if (stopping.signal.aborted || ready.has(key) || again.has(key)) return;
    admit(key);
    const dueMs = clock.monotonicMs() + ms;
    const before = delayed.get(key);
    if (before !== undefined && before.dueMs <= dueMs) return;
    cancelDelay(key);
    const timer = clock.after(ms, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { dueMs, timer });
  };
  return {
    add,
    addAfter,
    addWithBackoff(key) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      const ms = backoffMs(backoff, count, random);
      addAfter(key, ms);
      return ms;
    },
    forget: (key) => void failures.delete(key),
    failures: (key) => failures.get(key) ?? 0,
    get depth() {
      return ready.size + again.size;
    },
    start() {
      started = true;
      pump();
    },
    async stop(reason) {
      stopping.abort(reason);
      ready.clear();
      again.clear();
      for (const key of delayed.keys()) cancelDelay(key);
      await Promise.allSettled(running.values());
    },
  };
}
