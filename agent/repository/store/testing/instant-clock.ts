/** Sleeping takes no time and moves the clock by as much; for tests of waits that nobody else's time depends on. */
import type { Clock } from '../../../../kube/clock.ts';

export interface InstantClock extends Pick<Clock, 'monotonicMs' | 'sleep'> {
  /** Each sleep, in order. */
  readonly slept: readonly number[];
}

export function instantClock(): InstantClock {
  let nowMs = 0;
  const slept: number[] = [];
  return {
    slept,
    monotonicMs: () => nowMs,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      nowMs += ms;
      // Others get their turn, as they would.
      await new Promise<void>((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
  };
}
