/**
 * Replaces the agent's key, when somebody asks by a ClusterPair's annotation and after a year. The new key is signed by the
 * old one, so peers follow by themselves when they next connect, however long they were silent.
 */
import { rotateAnnotation } from '../../crds/agent-names.ts';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { isNotFound, renderError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { createController } from '../../kube/runtime/controller.ts';
import type { EventRecorder } from '../../kube/runtime/events.ts';
import type { InformerSet } from '../../kube/runtime/informer-set.ts';
import { parseKey } from '../../kube/runtime/key.ts';
import { awaitChange, type ReconcileResult } from '../../kube/runtime/reconcile.ts';
import { identitySince, rotateIdentity } from '../peer/identity.ts';
import type { PeerService } from '../peer/peer-service.ts';
import { pairInformer } from './pair-informer.ts';

export interface KeyRotationOptions {
  readonly client: KubeClient;
  readonly informers: InformerSet;
  readonly service: Pick<PeerService, 'identity' | 'rekey'>;
  readonly agentNamespace: string;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly log: Log;
}

const dayMs = 24 * 3_600_000;
/** Long enough that peers which connect at all have followed one replacement before the next. */
export const keyLifeMs = 365 * dayMs;
const lookMs = 3_600_000;
const maxRequestLength = 128;

export function createKeyRotation(options: KeyRotationOptions): { run(signal: AbortSignal): Promise<void> } {
  const { clock, random, log, informers } = options;
  const controller = createController({
    name: 'key-rotation',
    clock,
    random,
    log,
    workers: 1,
    reconcile: (key, signal) => answerRequest(key, options, signal),
  });
  const rotateByAge = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      await replaceWhenOld(options, signal).catch((error: unknown) => {
        // Looked at again in an hour; nothing depends on the very day.
        if (!signal.aborted) log.warn('the age of the key could not be looked at', { error: renderError(error) });
      });
      await clock.sleep(lookMs, signal).catch(() => {});
    }
  };
  return {
    async run(signal) {
      controller.watch(informers.informer(pairInformer), (change) =>
        change.type !== 'Deleted' && change.now.rotate !== undefined ? [change.key] : [],
      );
      await Promise.all([controller.run(signal), rotateByAge(signal)]);
    },
  };
}

async function answerRequest(key: string, options: KeyRotationOptions, signal: AbortSignal): Promise<ReconcileResult> {
  const { client, events } = options;
  const pair = await client.find(clusterPairs, parseKey(key), { signal });
  const request = pair?.metadata.annotations?.[rotateAnnotation];
  if (pair === undefined || request === undefined) return awaitChange();
  const fingerprint = await replaceKey(options, request.slice(0, maxRequestLength), signal);
  const path = `/metadata/annotations/${rotateAnnotation.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const body = [
    { op: 'test', path, value: request },
    { op: 'remove', path },
  ] as const;
  try {
    await client.patch(clusterPairs, parseKey(key), { type: 'json', body }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const message = `This cluster's key is ${fingerprint}, signed by the former one; peers follow by themselves.`;
  events.record({ regarding: pair, type: 'Normal', reason: 'OwnKeyReplaced', message });
  return awaitChange();
}

async function replaceWhenOld(options: KeyRotationOptions, signal: AbortSignal): Promise<void> {
  const { client, agentNamespace, clock } = options;
  const since = await identitySince({ client, namespace: agentNamespace, signal });
  if (since === undefined || clock.now().getTime() - since.getTime() < keyLifeMs) return;
  await replaceKey(options, `older than a year: ${since.toISOString()}`, signal);
}

/** @returns the fingerprint of the key in use from now on */
async function replaceKey(options: KeyRotationOptions, request: string, signal: AbortSignal): Promise<string> {
  const { client, agentNamespace, randomBytes, clock, service, log } = options;
  const secret = { client, namespace: agentNamespace, randomBytes, now: clock.now(), signal };
  const next = await rotateIdentity({ ...secret, request });
  if (next.pin === service.identity.pin) return next.fingerprint;
  const former = service.identity.fingerprint;
  service.rekey(next);
  log.info("the agent's key was replaced", { former, fingerprint: next.fingerprint, request });
  return next.fingerprint;
}
