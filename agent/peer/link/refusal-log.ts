/**
 * Tells of refused connections without letting strangers fill the log: a burst is shown, then one line says how many more
 * there were. Every refusal is counted.
 */
import type { Clock } from '../../../kube/clock.ts';
import type { Log, LogFields } from '../../../kube/log.ts';

const windowMs = 60_000;
const shownPerWindow = 30;

export function createRefusalLog(log: Log, clock: Clock): (fields: LogFields & { readonly code: string }) => void {
  let since = clock.monotonicMs();
  let seen = 0;
  return (fields) => {
    if (clock.monotonicMs() - since > windowMs) {
      if (seen > shownPerWindow) log.warn('more connections were refused', { count: seen - shownPerWindow });
      since = clock.monotonicMs();
      seen = 0;
    }
    seen++;
    if (seen <= shownPerWindow) log.warn('connection refused', fields);
  };
}
