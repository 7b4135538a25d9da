/**
 * How long one call of a store is repeated. A store that has answered once is waited for patiently: it was right then, and will be again. One
 * that nobody has reached yet may as well be a mistyped address, and whoever typed it waits for the answer.
 */
import type { Clock } from '../../../kube/clock.ts';
import { type Backoff, backoffMs } from '../../../kube/runtime/backoff.ts';
import { StoreError, storeUnreachable } from './store-error.ts';
import { type NetworkFailure, networkFailureOf } from './transport-error.ts';

export interface RetryLimits {
  readonly backoff: Backoff;
  /** Since the call began or last made progress; then its last failure is thrown. */
  readonly giveUpAfterMs: number;
  /** The same while no call has been answered. */
  readonly unreached: {
    readonly giveUpAfterMs: number;
    readonly unknownHostAfterMs: number;
    readonly maxWaitMs: number;
  };
  /** What a store's own Retry-After is cut to. */
  readonly longestWaitMs: number;
}

export const retryLimits: RetryLimits = {
  backoff: { baseMs: 250, maxMs: 30_000, factor: 2, jitter: 0.5 },
  giveUpAfterMs: 15 * 60_000,
  unreached: { giveUpAfterMs: 30_000, unknownHostAfterMs: 5_000, maxWaitMs: 4_000 },
  longestWaitMs: 2 * 60_000,
};

/** Of what runs by itself (a timer at boot, before the network is up): nobody waits, so an address that worked yesterday is waited for, too. */
export const unattendedLimits: RetryLimits = {
  ...retryLimits,
  unreached: {
    giveUpAfterMs: retryLimits.giveUpAfterMs,
    unknownHostAfterMs: retryLimits.giveUpAfterMs,
    maxWaitMs: retryLimits.backoff.maxMs,
  },
};

export interface RetryOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly limits?: RetryLimits;
  /** Told before each wait, for logs and metrics. */
  readonly onRetry?: (failure: StoreError, waitMs: number, since: Failing) => void;
}

/** Of a call that is repeated. */
export interface Failing {
  readonly failingMs: number;
  readonly giveUpAfterMs: number;
}

/** What the calls of one store know of each other. */
export interface Reach {
  /** Whether anything was answered, be it a refusal. */
  wasReached: boolean;
}

export interface Patience {
  /** Something came of it. */
  progress(): void;
  /** Throws `error` when there is no use in another try, `StoreUnreachable` for a place nobody has reached; the signal's reason when aborted. */
  wait(error: unknown, signal: AbortSignal | undefined): Promise<void>;
}

/** @param place the store's, for the error */
export function patienceOf(options: RetryOptions, place: string, reach: Reach): Patience {
  const { clock, random, limits = retryLimits, onRetry } = options;
  let sinceMs = clock.monotonicMs();
  let failures = 0;
  return {
    progress() {
      reach.wasReached = true;
      failures = 0;
      sinceMs = clock.monotonicMs();
    },
    async wait(error, signal) {
      signal?.throwIfAborted();
      if (!(error instanceof StoreError)) throw error;
      const network = networkFailureOf(error);
      if (network === undefined) reach.wasReached = true;
      if (!error.retryable) throw error;
      const unreached = reach.wasReached ? undefined : network;
      const { backoff, giveUpAfterMs } = boundsOf(limits, unreached);
      const waitMs = Math.max(
        backoffMs(backoff, ++failures, random),
        Math.min(error.retryAfterMs ?? 0, limits.longestWaitMs),
      );
      const failingMs = clock.monotonicMs() - sinceMs;
      if (failingMs + waitMs > giveUpAfterMs)
        throw unreached === undefined ? error : storeUnreachable(place, unreached);
      onRetry?.(error, waitMs, { failingMs, giveUpAfterMs });
      await clock.sleep(waitMs, signal);
    },
  };
}

function boundsOf({ backoff, giveUpAfterMs, unreached }: RetryLimits, failure: NetworkFailure | undefined) {
  if (failure === undefined) return { backoff, giveUpAfterMs };
  return {
    backoff: { ...backoff, maxMs: unreached.maxWaitMs },
    giveUpAfterMs: failure.kind === 'UnknownHost' ? unreached.unknownHostAfterMs : unreached.giveUpAfterMs,
  };
}
