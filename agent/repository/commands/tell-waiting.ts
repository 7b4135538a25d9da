/** What a command says while its store does not answer: what it waits for and for how long, once a minute however many requests wait. */
import type { Clock } from '../../../kube/clock.ts';
import type { RetryOptions } from '../store/patience.ts';
import { networkFailureOf } from '../store/transport-error.ts';

/** What passes sooner is nobody's concern. */
const quietMs = 3000;
const againAfterMs = 60_000;

/** @param place as it was named, without secrets */
export function tellWaiting(
  place: string,
  clock: Pick<Clock, 'monotonicMs'>,
  warn: (line: string) => void,
): NonNullable<RetryOptions['onRetry']> {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (failure, waitMs, { failingMs, giveUpAfterMs }) => {
    const nowMs = clock.monotonicMs();
    if (failingMs + waitMs < quietMs || nowMs - toldMs < againAfterMs) return;
    toldMs = nowMs;
    const what = networkFailureOf(failure)?.error.message ?? failure.message;
    warn(`waiting for ${place}, up to ${renderWait(giveUpAfterMs)}: ${what.split('\n', 1)[0]}`);
  };
}

const renderWait = (ms: number): string => (ms < 60_000 ? `${ms / 1000} s` : `${Math.round(ms / 60_000)} minutes`);
