/**
 * The pairing feature: ClusterPairs become links. At start every known pair is declared before the port opens, and what we
 * still hold of deleted ClusterPairs is forgotten, so that no peer meets a half-informed agent. Runs on the leader only.
 */
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { renderError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { type ControllerMetrics, createController } from '../../kube/runtime/controller.ts';
import type { EventRecorder } from '../../kube/runtime/events.ts';
import type { InformerSet } from '../../kube/runtime/informer-set.ts';
import { keyOf } from '../../kube/runtime/key.ts';
import type { PeerService } from '../peer/peer-service.ts';
import type { OtherClusters } from './by-kubeconfig/reach-cluster.ts';
import { createDesk } from './desk.ts';
import { createKnownPairs } from './known-pairs.ts';
import { pairInformer } from './pair-informer.ts';
import type { RefusedCode } from './present-code.ts';
import { declareWaiting, pairConfig, reconcilePair, revokePair } from './reconcile-pair.ts';
import { createKeyRotation } from './rotate-key.ts';
import { tellingFailures } from './tell-failure.ts';
import { createTrustStore } from './trust.ts';

export interface PairingOptions {
  readonly client: KubeClient;
  readonly informers: InformerSet;
  readonly service: PeerService;
  readonly agentNamespace: string;
  /** This cluster's name, as other clusters' admins see it. */
  readonly cluster: string;
  readonly others: OtherClusters;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly log: Log;
  /** Where peers reach us: 8443 in a pod. */
  readonly port: number;
  readonly host?: string | undefined;
  readonly metrics?: ControllerMetrics | undefined;
}

export interface Pairing {
  /** The port peers are answered on, once `run` has come that far. */
  readonly listening: Promise<number>;
  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createPairing(options: PairingOptions): Pairing {
  const { client, service, clock, random, log, informers, metrics } = options;
  const trusts = createTrustStore(client, options.agentNamespace);
  const known = createKnownPairs();
  const refusedCodes = new Map<string, RefusedCode>();
  const services = { ...options, trusts, known, refusedCodes };
  const { promise: listening, resolve: listens } = Promise.withResolvers<number>();
  const controller = createController({
    name: 'clusterpair',
    clock,
    random,
    log,
    metrics,
    reconcile: tellingFailures(services, (key, signal) => reconcilePair(key, services, signal)),
  });
  const lookAt = (uid: string) => {
    const key = known.keyOf(uid);
    if (key !== undefined) controller.enqueue(key);
  };

  /** Declares what is known before anybody can ask, and forgets what belongs to no ClusterPair any more. */
  const restore = async (signal: AbortSignal) => {
    const alive = new Set<string>();
    for await (const pair of client.list(clusterPairs, { signal })) {
      const { uid = '' } = pair.metadata;
      alive.add(uid);
      known.see(keyOf(pair), uid);
      const held = await trusts.find(uid, signal).catch((error: unknown) => {
        // Told again by this pair's own reconcile; the other pairs must not suffer.
        log.warn('pair trust could not be read', { uid, error: renderError(error) });
        return undefined;
      });
      declareWaiting(pair, pair.status, service);
      if (held === undefined) continue;
      known.name(uid, held.trust.pairId);
      const config = pairConfig(pair, held.trust, options.agentNamespace);
      if (config !== undefined) service.declare(config);
    }
    for (const uid of await trusts.uids(signal)) {
      if (!alive.has(uid)) await revokePair(uid, services, signal);
    }
  };
  return {
    listening,
    async run(signal) {
      await restore(signal);
      using _changes = service.subscribe(lookAt);
      const desk = createDesk({ trusts, clock, uidOf: known.uidOf, onChange: lookAt });
      const { port } = await service.listen({ desk, port: options.port, host: options.host });
      listens(port);
      log.info('waiting for peers', { port, fingerprint: service.identity.fingerprint });
      controller.watch(informers.informer(pairInformer), (change) => [change.key]);
      const rotation = createKeyRotation(options);
      await Promise.all([controller.run(signal), rotation.run(signal)]);
    },
  };
}
