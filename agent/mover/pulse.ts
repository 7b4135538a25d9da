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
