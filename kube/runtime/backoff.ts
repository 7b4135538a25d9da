/** How long to wait before trying again: exponential, capped, with jitter. Pure; randomness comes in. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Share of the delay that is random, 0…1. */
  readonly jitter: number;
}

/** For reconciles: 1 s, 2 s, 4 s … 5 min. */
export const reconcileBackoff: Backoff = { baseMs: 1000, maxMs: 300_000, factor: 2, jitter: 0.1 };

/** For broken connections: 0.5 s … 30 s, widely spread so that a restarted API server isn't met by everybody at once. */
export const connectionBackoff: Backoff = { baseMs: 500, maxMs: 30_000, factor: 2, jitter: 0.5 };

/**
 * The delay before the try after `failures` failures in a row (1 = the first).
 * @param random a number in [0, 1), e.g. Math.random
 */
export function backoffMs(backoff: Backoff, failures: number, random: () => number): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 62);
  const fullMs = Math.min(backoff.maxMs, backoff.baseMs * backoff.factor ** exponent);
  return Math.round(fullMs * (1 - backoff.jitter * random()));
}
