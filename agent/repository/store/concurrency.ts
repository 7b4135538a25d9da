/**
 * How many requests a store gets at once: fewer when it says that it is overloaded, slowly more again while it doesn't. Additive increase,
 * multiplicative decrease, as TCP's congestion avoidance has it (RFC 5681, 3.1), with a gentler cut: servers also say so at random.
 */

export interface Concurrency {
  /** At least 1; whole requests are what is below. */
  readonly limit: number;
  /** Requests that ended since the last cut. Those that ran before it say nothing about the new limit. */
  readonly sinceCut: number;
}

/** `Failed` says nothing of the load: what isn't there, a connection that broke. */
export type RequestEnd = 'Answered' | 'Overloaded' | 'Failed';

const cutTo = 0.75;

export const fullConcurrency = (most: number): Concurrency => ({ limit: most, sinceCut: most });

/** @param most whole, at least 1 */
export function decideConcurrency(now: Concurrency, ended: RequestEnd, most: number): Concurrency {
  if (ended === 'Overloaded' && now.sinceCut >= Math.floor(now.limit))
    return { limit: Math.max(1, now.limit * cutTo), sinceCut: 0 };
  const limit = ended === 'Answered' ? Math.min(most, now.limit + 1 / now.limit) : now.limit;
  return { limit, sinceCut: now.sinceCut + 1 };
}
