/** Whether the lock of an object that is needed is set anew, and until when. Pure. */
import type { ObjectLock } from '../store/object-versions.ts';

export interface RenewalTerms {
  readonly now: Date;
  /** A lock that is set ends so many days from now. */
  readonly days: number;
  /** A lock that ends within so many days is set anew. At most `days`. */
  readonly withinDays: number;
  /** Of objects that have no lock. One that has a lock keeps its mode. */
  readonly mode: ObjectLock['mode'];
}

export type Renewal =
  | { readonly do: 'Keep'; readonly lock: ObjectLock }
  | { readonly do: 'Extend'; readonly lock: ObjectLock }
  | { readonly do: 'Lock'; readonly lock: ObjectLock };

const dayMs = 86_400_000;

/** Never an earlier end than the lock has; the same again right afterwards keeps everything. */
export function decideRenewal(lock: ObjectLock | undefined, { now, days, withinDays, mode }: RenewalTerms): Renewal {
  const until = new Date(now.getTime() + days * dayMs);
  // One that ended keeps nothing any more, but its mode tells what was wanted.
  if (lock === undefined) return { do: 'Lock', lock: { mode, until } };
  const endsSoon = lock.until.getTime() - now.getTime() < withinDays * dayMs;
  return endsSoon && lock.until < until ? { do: 'Extend', lock: { mode: lock.mode, until } } : { do: 'Keep', lock };
}
