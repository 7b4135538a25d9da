/** "Something changed, look again": loops wait for the next pulse instead of polling; a pulse between look and wait isn't lost. */
export interface Pulse {
  beat(): void;
  /** Taken before looking; `wait` returns at once when a beat came since. */
  readonly count: number;
  /** Resolves at the first beat after `seen`; rejects with the signal's reason. */
  wait(seen: number, signal: AbortSignal | undefined): Promise<void>;
}

export function createPulse(): Pulse {
  let count = 0;
  const waiting = new Set<() => void>();
  return {
    get count() {
      return count;
    },
    beat() {
      count++;
      for (const wake of [...waiting]) wake();
    },
    wait(seen, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      if (count !== seen) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const wake = () => {
          waiting.delete(wake);
          signal?.removeEventListener('abort', stop);
          resolve();
        };
        const stop = () => {
          waiting.delete(wake);
          reject(signal?.reason);
        };
        waiting.add(wake);
        signal?.addEventListener('abort', stop, { once: true });
      });
    },
  };
}

/** At most `limit` tasks at once; `take` waits for a free place and returns how to give it back. */
export function createSlots(limit: number): { take(signal?: AbortSignal): Promise<() => void>; idle(): Promise<void> } {
  const freed = createPulse();
  let taken = 0;
  const release = () => {
    taken--;
    freed.beat();
  };
  return {
    async take(signal) {
      for (let seen = freed.count; taken >= limit; seen = freed.count) await freed.wait(seen, signal);
      taken++;
      return release;
    },
    async idle() {
      for (let seen = freed.count; taken > 0; seen = freed.count) await freed.wait(seen, undefined);
    },
  };
}

/** Work that runs beside its caller: at most `limit` tasks at once, failures kept for `check`. */
export interface Background {
  /** Starts a task; resolves when it has a place. */
  start(work: () => Promise<void>): Promise<void>;
  /** Runs a step after the steps before it. */
  inOrder(step: () => Promise<void>): void;
  /** Throws the first failure. */
  check(): void;
  /** Everything started so far has ended. */
  idle(): Promise<void>;
}

/** @param changed beats whenever something ended */
export function createBackground(limit: number, changed: Pulse): Background {
  const slots = createSlots(limit);
  let failure: { readonly error: unknown } | undefined;
  let last = Promise.resolve();
  const note = (error: unknown) => {
    failure ??= { error };
  };
  const check = () => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    check,
    async start(work) {
      const release = await slots.take();
      // Otherwise `idle` waits for ever for what never began.
      if (failure !== undefined) release();
      check();
      work()
        .catch(note)
        .finally(() => {
          release();
          changed.beat();
        });
    },
    inOrder(step) {
      last = last.then(step).catch(note).finally(changed.beat);
    },
    async idle() {
      await slots.idle();
      await last;
    },
  };
}
