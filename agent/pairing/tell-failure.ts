/**
 * What a reconcile of a ClusterPair threw is told in its conditions, not only in the agent's log; it is tried again by itself
 * with growing pauses. The next reconcile that succeeds takes the condition away (describe-pair.ts).
 */
import { type ClusterPair, clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { isConflict, StorkError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { findCondition, setCondition } from '../../kube/runtime/conditions.ts';
import type { EventRecorder } from '../../kube/runtime/events.ts';
import { parseKey } from '../../kube/runtime/key.ts';
import { type Reconcile, retry } from '../../kube/runtime/reconcile.ts';
import { writeStatus } from '../../kube/runtime/write-status.ts';

interface TellingServices {
  readonly client: KubeClient;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Failures in a row that may pass by themselves and are not told: whoever waits for the pair would take them for its end. */
const passingFailures = 3;

/** The same reconcile, its failures told on the object. */
export function tellingFailures(services: TellingServices, reconcile: Reconcile): Reconcile {
  const inRow = new Map<string, number>();
  return async (key, signal) => {
    try {
      const result = await reconcile(key, signal);
      inRow.delete(key);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      const failures = (inRow.get(key) ?? 0) + 1;
      inRow.set(key, failures);
      if (mayPass(error) && failures <= passingFailures) return retry(error);
      await tellFailure(services, key, error, signal).catch((untold: unknown) => {
        // An API server that is away, mostly: then nobody could read it there either.
        services.log.warn('a failure could not be told on the ClusterPair', { key, error: untold });
      });
      return retry(error);
    }
  };
}

/** Somebody else's write came first, or the API server was away for a moment. */
const mayPass = (error: unknown): boolean => isConflict(error) || (error instanceof StorkError && error.retryable);

async function tellFailure(
  { client, events, clock }: TellingServices,
  key: string,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  const pair = await client.find(clusterPairs, parseKey(key), { signal });
  if (pair === undefined || pair.metadata.deletionTimestamp !== undefined) return;
  const status = describeFailure(pair, error, clock.now());
  if (status === undefined) return;
  const written = await writeStatus({ client, resource: clusterPairs, object: pair, status, signal });
  const { reason = '', message = '' } = findCondition(status.conditions, 'Reconciled') ?? {};
  if (written === 'Written') events.record({ regarding: pair, type: 'Warning', reason, message });
}

/**
 * `undefined` when it is told already: a message that differs each time must not write, and so wake us, each time. A pair that
 * works goes on working: its Ready stays. Pure.
 */
export function describeFailure(pair: ClusterPair, error: unknown, now: Date): ClusterPair['status'] {
  const { generation } = pair.metadata;
  const { conditions = [] } = pair.status ?? {};
  const failure = { status: 'False', ...wordsOf(error) } as const;
  const told = findCondition(conditions, 'Reconciled');
  if (told?.reason === failure.reason && told.observedGeneration === generation) return undefined;
  const stamp = { now, generation };
  const failed = setCondition(conditions, { type: 'Reconciled', ...failure }, stamp);
  const works = findCondition(conditions, 'Ready')?.status === 'True';
  return {
    ...pair.status,
    conditions: [...(works ? failed : setCondition(failed, { type: 'Ready', ...failure }, stamp))],
  };
}

/** Our errors and the API server's hold no secrets; another's text might quote what it could not read. */
function wordsOf(error: unknown): { readonly reason: string; readonly message: string } {
  if (error instanceof StorkError) {
    const hint = error.hint === undefined ? '' : ` ${error.hint}`;
    const reason = isReason.test(error.code) ? error.code : 'ReconcileFailed';
    return { reason, message: `${error.message}.${hint} It is tried again by itself.`.replaceAll('..', '.') };
  }
  const kind = error instanceof Error ? error.name : typeof error;
  return {
    reason: 'ReconcileFailed',
    message: `An unexpected ${kind} keeps the agent from looking after this pair; it is tried again by itself. The agent's log tells it in full.`,
  };
}

/** What the API server takes as a condition's reason. */
const isReason = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
