/**
 * One ClusterPair, from what is on the cluster: brings pairing as far as it goes, tells the peer service what to trust, and
 * writes what came of it into status. Repeatable at any point; a ClusterPair that is gone is revoked.
 */
import { type ClusterPair, clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import type { EventRecorder } from '../../kube/runtime/events.ts';
import { parseKey } from '../../kube/runtime/key.ts';
import { awaitChange, type ReconcileResult, requeueAfter } from '../../kube/runtime/reconcile.ts';
import { writeStatus } from '../../kube/runtime/write-status.ts';
import type { PairConfig } from '../peer/pair-link.ts';
import type { PeerService } from '../peer/peer-service.ts';
import { ensurePairedByKubeconfig, type KubeconfigServices } from './by-kubeconfig/ensure-paired.ts';
import { retireInvited } from './by-kubeconfig/retire-invited.ts';
import { decidePairAdmission, describePair } from './describe-pair.ts';
import { grantOf } from './grant-of.ts';
import { ensureInvitation } from './invite.ts';
import type { KnownPairs } from './known-pairs.ts';
import type { PairProgress } from './pair-progress.ts';
import { ensureJoined, type RefusedCode } from './present-code.ts';
import { probePair } from './probe-pair.ts';
import type { PairTrust, TrustStore } from './trust.ts';

export interface ReconcilePairServices extends Pick<KubeconfigServices, 'cluster' | 'others'> {
  readonly client: KubeClient;
  readonly trusts: TrustStore;
  readonly service: PeerService;
  readonly agentNamespace: string;
  readonly known: KnownPairs;
  readonly refusedCodes: Map<string, RefusedCode>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly log: Log;
}

export async function reconcilePair(
  key: string,
  services: ReconcilePairServices,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { client, service, known, clock } = services;
  const pair = await client.find(clusterPairs, parseKey(key), { signal });
  const alive = pair !== undefined && pair.metadata.deletionTimestamp === undefined ? pair : undefined;
  for (const uid of known.uidsOf(key)) {
    if (uid !== alive?.metadata.uid) await revokePair(uid, services, signal);
  }
  if (alive === undefined) return awaitChange();

  const uid = alive.metadata.uid ?? '';
  known.see(key, uid);
  const progress = await advance(alive, services, signal).catch(whenForbidden);
  if ((await retireInvited(client, alive, progress, signal)) === 'Retired') return awaitChange();
  if (progress.at === 'Invited' || progress.at === 'Joined') known.name(uid, progress.held.trust.pairId);
  const config = progress.at === 'Joined' ? pairConfig(alive, progress.held.trust, services.agentNamespace) : undefined;
  if (config === undefined) await service.remove(uid);
  const peer = config === undefined ? undefined : service.declare(config);
  const probe = await probePair(alive, config, services, signal);
  const { link } = peer ?? {};
  const now = clock.now();
  const status = describePair({
    pair: alive,
    progress,
    link,
    probe,
    ownPin: service.identity.pin,
    ownVersion: service.self.version,
    now,
  });
  if (config === undefined) declareWaiting(alive, status, service);
  const written = await writeStatus({ client, resource: clusterPairs, object: alive, status, signal });
  if (written === 'Written') tellChanges(alive, status, services.events);
  if (written === 'Void') return requeueAfter(1);
  return whenToLookAgain(progress, now);
}

/** Whoever names the pair meanwhile is told what its status says. */
export function declareWaiting(
  { metadata: { uid = '', namespace = '', name } }: ClusterPair,
  status: ClusterPair['status'],
  service: PeerService,
): void {
  const ready = findCondition(status?.conditions, 'Ready');
  const { reason: code, message } = ready ?? { reason: 'NotJoined', message: 'It is not paired yet.' };
  service.declareWaiting({ uid, namespace, name, code, message });
}

/** Ends the link at once and forgets the peer's key. */
export async function revokePair(
  uid: string,
  { service, trusts, known, refusedCodes, log }: Omit<ReconcilePairServices, 'events'>,
  signal: AbortSignal,
): Promise<void> {
  await service.revoke(uid);
  await trusts.remove(uid, signal);
  known.forget(uid);
  refusedCodes.delete(uid);
  log.info('pair revoked', { uid });
}

/** What the peer service must know of a pair whose peer is known. */
export function pairConfig(pair: ClusterPair, trust: PairTrust, agentNamespace: string): PairConfig | undefined {
  const { uid = '', namespace = '', name } = pair.metadata;
  const { pairId, peerPin, endpoints, cluster = '' } = trust;
  if (peerPin === undefined) return undefined;
  const admission = decidePairAdmission(trust, pair.spec.confirmedFingerprint);
  return { uid, namespace, name, pairId, peerPin, endpoints, cluster, admission, grant: grantOf(pair, agentNamespace) };
}

/** Somebody can change what the agent may do, so it is told in status and tried again. */
function whenForbidden(error: unknown): PairProgress {
  if (!isForbidden(error)) throw error;
  const message = `The agent may not do its part: ${error.message}. Make the pair with kubectl stork pair, which allows it.`;
  return { at: 'Waiting', code: 'AgentForbidden', message, retrySeconds: 30 };
}

async function advance(pair: ClusterPair, services: ReconcilePairServices, signal: AbortSignal): Promise<PairProgress> {
  const { accept, join } = pair.spec;
  if (accept !== undefined) {
    const { pin } = services.service.identity;
    return ensureInvitation(pair, { ...services, pin, now: services.clock.now() }, signal);
  }
  if (join !== undefined) return ensureJoined(pair, services, signal);
  return ensurePairedByKubeconfig(pair, services, signal);
}

function whenToLookAgain(progress: PairProgress, now: Date): ReconcileResult {
  switch (progress.at) {
    case 'Invited':
      return requeueAfter(Math.max(1, Math.ceil((progress.expires.getTime() - now.getTime()) / 1000)));
    case 'Waiting':
      return requeueAfter(progress.retrySeconds);
    case 'Joined':
    case 'Failed':
      return progress.retrySeconds === undefined ? awaitChange() : requeueAfter(progress.retrySeconds);
    default:
      return progress satisfies never;
  }
}

/** Not yet, and nothing is wrong. */
const expectedReasons: ReadonlySet<string> = new Set([
  'AwaitingConfirmation',
  'WaitingForJoiner',
  'CodeUsed',
  'MakingInvitation',
]);

/** One event for each condition that turned. */
function tellChanges(
  pair: ClusterPair,
  status: ReturnType<typeof describePair>,
  events: Pick<EventRecorder, 'record'>,
): void {
  for (const { type, status: turned, reason, message } of status.conditions ?? []) {
    const before = findCondition(pair.status?.conditions, type);
    if (type === 'Ready' || type === 'Healthy' || (before?.status === turned && before.reason === reason)) continue;
    const wanted = (turned === 'True' && type !== 'InlineCredentials') || expectedReasons.has(reason);
    events.record({ regarding: pair, type: wanted ? 'Normal' : 'Warning', reason, message: message ?? '' });
  }
}
