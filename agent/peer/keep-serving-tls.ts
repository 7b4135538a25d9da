/** Looks after a port's certificates while it serves: renewed long before they end, taken over when a replica renewed them. */
import type { Clock } from '../../kube/clock.ts';
import type { Log } from '../../kube/log.ts';
import { startInformer } from '../../kube/runtime/informer.ts';
import { ensureServingTls, type Served, type ServingTls, type ServingTlsOptions, secretOf } from './serving-tls.ts';

/** While the Secret can't be watched, one that somebody deleted is made anew after this. */
const unwatchedMs = 60_000;
const dayMs = 24 * 3_600_000;

export interface KeptTls extends Omit<ServingTlsOptions, 'now' | 'signal'> {
  readonly served: Served;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly first: ServingTls;
  /** Called with certificates that differ from those before. */
  readonly renew: (tls: ServingTls) => void;
}

/** Works until the signal aborts; what goes wrong is logged and tried again. */
export async function keepServingTls(kept: KeptTls, signal: AbortSignal): Promise<void> {
  const { served, clock, log } = kept;
  await using secret = startInformer(secretOf(served, kept.namespace), kept);
  let wake = new AbortController();
  secret.subscribe(() => wake.abort());
  let watched = false;
  secret.synced(signal).then(
    () => {
      watched = true;
      wake.abort();
    },
    () => {},
  );
  let tls = kept.first;
  let failed = false;
  while (!signal.aborted) {
    const untilMs = watched && !failed ? nextLookMs(tls, clock.now()) : unwatchedMs;
    await clock.sleep(untilMs, AbortSignal.any([signal, wake.signal])).catch(() => {});
    if (signal.aborted) return;
    wake = new AbortController();
    failed = false;
    try {
      const now = await ensureServingTls(served, { ...kept, now: clock.now(), signal });
      if (now.certificate !== tls.certificate) kept.renew(now);
      tls = now;
    } catch (error) {
      failed = true;
      if (!signal.aborted) log.warn('certificates could not be looked after', { secret: served.secretName, error });
    }
  }
}

/** A timer holds no more than three weeks, and a look each day costs nothing. */
export const nextLookMs = ({ renewAfter }: ServingTls, now: Date): number =>
  Math.min(dayMs, Math.max(unwatchedMs, renewAfter.getTime() - now.getTime()));
