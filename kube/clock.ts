/**
 * Time comes in by parameter. `systemClock()` is the only place that touches Date and timers;
 * `manualClock()` moves only when a test says so.
 */
export interface Clock {
  /** Wall time, for stamps that people and other machines read. */
  now(): Date;
  /** Milliseconds that never jump back, for durations and deadlines. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms` unless the returned handle is disposed first. */
  after(ms: number, run: () => void): Disposable;
}

export function systemClock(): Clock {
  return {
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          clearTimeout(timer);
          reject(signal?.reason);
        };
        const timer = setTimeout(() => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, ms);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
  };
}

export interface ManualClock extends Clock {
  /** Moves time forward, running what falls due in order, letting promises settle between timers. */
  advance(ms: number): Promise<void>;
}

export function manualClock(start = new Date('2026-01-01T00:00:00Z')): ManualClock {
  let elapsedMs = 0;
  let sequence = 0;
  const timers = new Map<number, { dueMs: number; run: () => void }>();
  const after = (ms: number, run: () => void): Disposable => {
    const id = sequence++;
    timers.set(id, { dueMs: elapsedMs + Math.max(0, ms), run });
    return { [Symbol.dispose]: () => void timers.delete(id) };
  };
  const nextDue = (untilMs: number) => {
    let best: [number, { dueMs: number; run: () => void }] | undefined;
    for (const entry of timers) {
      if (entry[1].dueMs > untilMs) continue;
      if (best === undefined || entry[1].dueMs < best[1].dueMs) best = entry;
    }
    return best;
  };
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => new Date(start.getTime() + elapsedMs),
    monotonicMs: () => elapsedMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const timer = after(ms, resolve);
        signal?.addEventListener('abort', () => {
          timer[Symbol.dispose]();
          reject(signal.reason);
        });
      }),
    async advance(ms) {
      const targetMs = elapsedMs + ms;
      await settle();
      for (let due = nextDue(targetMs); due !== undefined; due = nextDue(targetMs)) {
        timers.delete(due[0]);
        elapsedMs = due[1].dueMs;
        due[1].run();
        await settle();
      }
      elapsedMs = targetMs;
    },
  };
}
