/** Looks after a port's certificates while it serves: renewed long before they end, taken over when a replica renewed them. */
import type { Clock } from '../../kube/clock.ts';
import type { Log } from '../../kube/log.ts';
import { ensureServingTls, type Served, type ServingTls, type ServingTlsOptions } from './serving-tls.ts';

/** A Secret that somebody deleted is made anew, and served, after this. */
const lookEveryMs = 60_000;

export interface KeptTls extends Omit<ServingTlsOptions, 'now' | 'signal'> {
  readonly served: Served;
  readonly clock: Clock;
  readonly log: Log;
  readonly first: ServingTls;
  /** Called with certificates that differ from those before. */
  readonly renew: (tls: ServingTls) => void;
}

/** Works until the signal aborts; what goes wrong is logged and tried again. */
export async function keepServingTls(kept: KeptTls, signal: AbortSignal): Promise<void> {
  const { served, clock, log } = kept;
  let tls = kept.first;
  while (!signal.aborted) {
    await clock.sleep(lookEveryMs, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      const now = await ensureServingTls(served, { ...kept, now: clock.now(), signal });
      if (now.certificate !== tls.certificate) kept.renew(now);
      tls = now;
    } catch (error) {
      if (!signal.aborted) log.warn('certificates could not be looked after', { secret: served.secretName, error });
    }
  }
}
