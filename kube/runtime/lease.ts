/**
 * Leader election over a coordination.k8s.io Lease, as client-go does it. A rival's lease counts as expired only when we
 * ourselves have seen it unchanged for its whole duration, by our own monotonic clock: clocks of different machines are
 * never compared. A leader that can't renew stops leading `renewDeadlineMs` after the last renewal it *began* and that
 * succeeded, by a timer that no stuck request can hold up: always before `durationMs`, when another may take over.
 */
import type { KubeClient, Resource } from '../client/client.ts';
import { core, type Lease } from '../client/core.ts';
import type { Clock } from '../clock.ts';
import { isAlreadyExists, isConflict, StorkError } from '../errors.ts';
import type { Log } from '../log.ts';

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** A number in [0, 1) each call; spreads the candidates' tries. */
  readonly random: () => number;
  readonly log: Log;
  readonly namespace: string;
  readonly name: string;
  /** Unique per process, e.g. the pod's name and uid. */
  readonly identity: string;
  readonly durationMs?: number | undefined;
  readonly renewDeadlineMs?: number | undefined;
  readonly retryMs?: number | undefined;
  /** Told at once when leadership is lost, before the signal of `lead` aborts. */
  readonly onLost?: (() => void) | undefined;
}

/**
 * Waits to become the leader, then runs `lead` once. 'Released': `lead` returned or `signal` aborted, and the lease was
 * given up for the next one. 'Lost': it could not be renewed in time; `lead`'s signal was aborted with `LeadershipLost`.
 * Rejects with what `lead` throws of its own.
 */
export async function runAsLeader(
  options: LeaderElectionOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<'Lost' | 'Released'> {
  const { clock, random, log, onLost } = options;
  const { durationMs = 15_000, renewDeadlineMs = 10_000, retryMs = 2_000 } = options;
  if (renewDeadlineMs >= durationMs) throw new TypeError('renewDeadlineMs must be below durationMs');
  const candidate = createCandidate(options, durationMs);
  let heldSinceMs: number | undefined;
  while (!signal.aborted && heldSinceMs === undefined) {
    const attempt = await candidate.tryToHold(signal);
    if (typeof attempt === 'number') heldSinceMs = attempt;
    else await clock.sleep(retryMs * (1 + 0.2 * random()), signal).catch(ignoreAbort(signal));
  }
  if (heldSinceMs === undefined) return 'Released';

  log.info('became leader', { lease: options.name, identity: options.identity });
  const leading = new AbortController();
  const lose = () => {
    if (leading.signal.aborted) return;
    log.warn('lost leadership', { lease: options.name, identity: options.identity });
    onLost?.();
    const message = `the lease ${options.namespace}/${options.name} could not be renewed in time`;
    leading.abort(new StorkError({ code: 'LeadershipLost', message, retryable: true }));
  };
  const ended = new AbortController();
  const renewing = renewUntil({
    candidate,
    clock,
    retryMs,
    heldSinceMs,
    signal: AbortSignal.any([ended.signal, leading.signal]),
    armDeadline: (sinceMs) => clock.after(sinceMs + renewDeadlineMs - clock.monotonicMs(), lose),
    lose,
  });
  const lost = Promise.withResolvers<void>();
  leading.signal.addEventListener('abort', () => lost.resolve(), { once: true });
  try {
    await Promise.race([lead(AbortSignal.any([signal, leading.signal])), lost.promise]);
  } catch (error) {
    if (!signal.aborted && !leading.signal.aborted) throw error;
  } finally {
    ended.abort();
    await renewing;
    if (!leading.signal.aborted) await candidate.release();
  }
  return leading.signal.aborted ? 'Lost' : 'Released';
}

interface Candidate {
  /** One try to take or renew: the monotonic time at which it began when it succeeded, else why not. */
  tryToHold(signal: AbortSignal): Promise<number | 'HeldByAnother' | 'Failed'>;
  release(): Promise<void>;
}

const leases: Resource<Lease> = core.leases;

function createCandidate(options: LeaderElectionOptions, durationMs: number): Candidate {
  const { client, clock, log, namespace, name, identity } = options;
  let observed: { readonly record: string; readonly atMs: number } | undefined;
  const tryLimitMs = (options.renewDeadlineMs ?? 10_000) / 2;

  const observe = (lease: Lease) => {
    const record = JSON.stringify(lease.spec ?? {});
    if (observed?.record !== record) observed = { record, atMs: clock.monotonicMs() };
    return observed.atMs;
  };
  const isFree = (lease: Lease): boolean => {
    const spec = lease.spec ?? {};
    if (spec.holderIdentity === undefined || spec.holderIdentity === '' || spec.holderIdentity === identity)
      return true;
    const rivalDurationMs = (spec.leaseDurationSeconds ?? durationMs / 1000) * 1000;
    return clock.monotonicMs() - observe(lease) >= rivalDurationMs;
  };
  const write = async (signal: AbortSignal): Promise<Lease | undefined> => {
    const found = await client.find(leases, { namespace, name }, { signal });
    const now = microTime(clock.now());
    if (found === undefined) {
      const spec = {
        holderIdentity: identity,
        leaseDurationSeconds: durationMs / 1000,
        acquireTime: now,
        renewTime: now,
        leaseTransitions: 0,
      };
      const lease: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec };
      return await client.create(leases, lease, { signal });
    }
    if (!isFree(found)) return undefined;
    const mine = found.spec?.holderIdentity === identity;
    const spec = {
      ...found.spec,
      holderIdentity: identity,
      leaseDurationSeconds: durationMs / 1000,
      acquireTime: mine ? (found.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (found.spec?.leaseTransitions ?? 0) + (mine ? 0 : 1),
    };
    return await client.replace(leases, { ...found, spec }, { signal });
  };
  return {
    async tryToHold(signal) {
      const startMs = clock.monotonicMs();
      const late = new AbortController();
      using _limit = clock.after(tryLimitMs, () => late.abort());
      try {
        return (await write(AbortSignal.any([signal, late.signal]))) === undefined ? 'HeldByAnother' : startMs;
      } catch (error) {
        if (isConflict(error) || isAlreadyExists(error)) log.debug('another candidate was faster', { lease: name });
        else if (!signal.aborted) log.warn('could not take or renew the lease', { lease: name, error });
        return 'Failed';
      }
    },
    async release() {
      try {
        const found = await client.find(leases, { namespace, name });
        if (found?.spec?.holderIdentity !== identity) return;
        const spec = { ...found.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(clock.now()) };
        await client.replace(leases, { ...found, spec });
      } catch (error) {
        log.warn('could not give up the lease; it runs out by itself', { lease: name, error });
      }
    },
  };
}

interface Renewal {
  readonly candidate: Candidate;
  readonly clock: Clock;
  readonly retryMs: number;
  readonly heldSinceMs: number;
  readonly signal: AbortSignal;
  armDeadline(sinceMs: number): Disposable;
  lose(): void;
}

async function renewUntil(renewal: Renewal): Promise<void> {
  const { candidate, clock, retryMs, signal, armDeadline, lose } = renewal;
  let deadline = armDeadline(renewal.heldSinceMs);
  while (!signal.aborted) {
    await clock.sleep(retryMs, signal).catch(ignoreAbort(signal));
    if (signal.aborted) break;
    const attempt = await candidate.tryToHold(signal);
    if (attempt === 'HeldByAnother') lose();
    if (typeof attempt !== 'number' || signal.aborted) continue;
    deadline[Symbol.dispose]();
    deadline = armDeadline(attempt);
  }
  deadline[Symbol.dispose]();
}

function ignoreAbort(signal: AbortSignal) {
  return (error: unknown) => {
    if (!signal.aborted) throw error;
  };
}

/** metav1.MicroTime: six digits of a second. */
function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
