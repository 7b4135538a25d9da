/**
 * What the leader runs, put together: services first, then the features that use them. Nothing here decides anything; it
 * only says which part gets which other part.
 */
import { agentName, peerAccount } from '../crds/agent-names.ts';
import { createDriverRegistry, type DriverRegistry } from '../drivers/registry.ts';
import type { Ambient } from '../kube/ambient.ts';
import type { KubeClient } from '../kube/client/client.ts';
import type { Log } from '../kube/log.ts';
import { eventRecorder } from '../kube/runtime/events.ts';
import { informerSet } from '../kube/runtime/informer-set.ts';
import { createMachineController, type MachineControllerOptions } from '../kube/runtime/machine-controller.ts';
import { activationMachine } from './activation/activation-machine.ts';
import type { AgentOptions } from './agent-options.ts';
import { destinationResources } from './migration/destination/destination-resources.ts';
import type { DestinationServices } from './migration/destination/destination-services.ts';
import { mustCover } from './migration/destination/must-cover.ts';
import { createMigrationFeature, type MigrationFeature } from './migration/migration-controllers.ts';
import { createMoverJobs, type MoverRequest } from './migration/mover-jobs.ts';
import { agentLabels, moverJobName, operationLabels } from './migration/names.ts';
import { createDestinationRuns, createSourceRuns } from './migration/open-runs.ts';
import { createRecords } from './migration/records.ts';
import { collectMigration } from './migration/source/collect.ts';
import type { SourceServices } from './migration/source/source-services.ts';
import { planMoverJob } from './mover/mover-job.ts';
import { createTreeStore, type TreeStore } from './mover/tree-store.ts';
import type { Metrics } from './observe/metrics.ts';
import { otherClusters } from './other-clusters.ts';
import { createPairing } from './pairing/pairing.ts';
import { capacityRoute, createCapacityMeter } from './peer/capacity.ts';
import { ensureIdentity } from './peer/identity.ts';
import { keepServingTls } from './peer/keep-serving-tls.ts';
import { createMoverAuthentication } from './peer/mover-authentication.ts';
import { startMoverEndpoint } from './peer/mover-endpoint.ts';
import { ensureMoverTls, moverServed } from './peer/mover-tls.ts';
import type { Peers } from './peer/peer.ts';
import { createPeerService } from './peer/peer-service.ts';
import { createRunRegistry, type RunRegistry } from './peer/run-registry.ts';
import type { ServingTls } from './peer/serving-tls.ts';
import {
  createStreamRendezvous,
  rendezvousKey,
  runStreamRoute,
  type StreamRendezvous,
} from './peer/stream-rendezvous.ts';
import { createAccess } from './requester/access.ts';
import { identityOfServiceAccount } from './resources/apply/apply-objects.ts';
import { stashKeyOf } from './resources/stash/seal-stash.ts';
import { createRuleRunner } from './rule/rule-runner.ts';
import { transformationMachine } from './transformation/transformation-machine.ts';
import { createTrustKeeper } from './webhook/webhook.ts';

export interface LeaderParts {
  readonly options: AgentOptions;
  readonly ambient: Ambient;
  readonly client: KubeClient;
  readonly log: Log;
  readonly observe: Pick<MachineControllerOptions, 'metrics' | 'onEdge'>;
  readonly metrics: Pick<Metrics, 'pairs'>;
}

/** Leads until the signal aborts. */
export async function lead(parts: LeaderParts, signal: AbortSignal): Promise<void> {
  const { options, ambient, client, log } = parts;
  const { clock, random, randomBytes } = ambient;
  const secrets = { client, namespace: options.namespace, randomBytes, now: clock.now(), signal };
  const identity = await ensureIdentity(secrets);
  const tls = await ensureMoverTls(secrets);
  const runs = createRunRegistry();
  const rendezvous = createStreamRendezvous(clock);
  const late: { peers?: Peers } = {};
  await using informers = informerSet({ client, clock, random, log });
  const stashKey = stashKeyOf(identity.key);
  const feature = migrationFeature(parts, { tls, stashKey, runs, rendezvous, peers: lazyPeers(late), informers });
  await using peer = createPeerService({
    identity,
    self: { cluster: options.cluster, version: ambient.version },
    routes: [...feature.routes, capacityRoute(createCapacityMeter(informers, clock)), runStreamRoute(rendezvous)],
    agentNamespace: options.namespace,
    clock,
    random,
    randomBytes,
    log,
  });
  late.peers = peer.peers;
  parts.metrics.pairs(() => peer.declared());
  const authentication = createMoverAuthentication(client, clock);
  const trees = treeStore(options, clock);
  await using endpoint = await startMoverEndpoint({ tls, runs, authentication, trees, port: options.moverPort, log });
  const environment = machineEnvironment(parts, informers);
  const activation = createMachineController(
    activationMachine({ agentNamespace: options.namespace, stashKey, access: createAccess(client) }),
    environment,
  );
  const trying = client.as(identityOfServiceAccount(`${options.namespace}/${peerAccount}`));
  const transformation = createMachineController(transformationMachine({ trying }), environment);
  const pairing = createPairing({
    ...environment,
    service: peer,
    agentNamespace: options.namespace,
    cluster: options.cluster,
    others: otherClusters(parts),
    port: options.pairPort,
    randomBytes,
    metrics: parts.observe.metrics,
  });
  const renewing = keepServingTls(
    {
      ...{ client, clock, random, log, randomBytes, namespace: options.namespace, first: tls },
      served: moverServed(options.namespace),
      renew: (renewed) => endpoint.renew(renewed),
    },
    signal,
  );
  const trust = createTrustKeeper({ ...environment, namespace: options.namespace, randomBytes });
  log.info('leading', { cluster: options.cluster, fingerprint: identity.fingerprint });
  await Promise.all([
    pairing.run(signal),
    feature.run(signal),
    activation.run(signal),
    transformation.run(signal),
    trust.run(signal),
    renewing,
  ]);
}

/** The features need the peers, the peers' routes are the features': one of them comes first. */
function lazyPeers(late: { readonly peers?: Peers }): Peers {
  return {
    find: async (namespace, name, signal) => await late.peers?.find(namespace, name, signal),
    findById: (pairId) => late.peers?.findById(pairId),
  };
}

function machineEnvironment(parts: LeaderParts, informers: MachineControllerOptions['informers']) {
  const { ambient, client, log, observe } = parts;
  const { clock, random, randomUuid } = ambient;
  const events = eventRecorder({ client, clock, log, component: agentName, newId: randomUuid });
  return { client, clock, random, log, informers, events, ...observe } satisfies MachineControllerOptions;
}

interface Shared {
  readonly tls: ServingTls;
  readonly stashKey: string;
  readonly runs: RunRegistry;
  readonly rendezvous: StreamRendezvous;
  readonly peers: Peers;
  readonly informers: MachineControllerOptions['informers'];
}

function migrationFeature(parts: LeaderParts, shared: Shared): MigrationFeature {
  const { options, ambient, client, log } = parts;
  const { clock } = ambient;
  const agentNamespace = options.namespace;
  const drivers = createDriverRegistry({ client, clock });
  const common = {
    client,
    clock,
    log,
    agentNamespace,
    records: createRecords(client, agentNamespace),
    moverJobs: createMoverJobs(client, (request) => moverJob(options, shared.tls, request)),
    driverFor: (volume: Parameters<DriverRegistry['driverFor']>[0]) => drivers.driverFor(volume),
  };
  const runParts = { client, clock, runs: shared.runs };
  const source: SourceServices = {
    ...common,
    cluster: options.cluster,
    peers: shared.peers,
    runs: createSourceRuns(runParts),
    rules: createRuleRunner({ client, clock }),
    access: createAccess(client),
    collect: (migration, context, signal) => collectMigration(client, migration, context, signal),
  };
  const destination: DestinationServices = {
    ...common,
    runs: createDestinationRuns(runParts, async (of, signal) => {
      const peer = shared.peers.findById(of.pairId);
      if (peer !== undefined) mustCover({ agentNamespace }, peer, of.claimNamespaces);
      return shared.rendezvous.take(rendezvousKey(of.pairId, of.run), signal);
    }),
    ...destinationResources({ ...common, stashKey: shared.stashKey }),
  };
  return createMigrationFeature({ source, destination, environment: machineEnvironment(parts, shared.informers) });
}

/** Well below the volume's own limit, beyond which the kubelet would end this pod. */
const treesLimitBytes = 768 * 1024 * 1024;

function treeStore({ treeDirectory: directory }: AgentOptions, clock: Ambient['clock']): TreeStore | undefined {
  return directory === undefined ? undefined : createTreeStore({ directory, limitBytes: treesLimitBytes, clock });
}

export function moverJob(
  options: Pick<AgentOptions, 'image' | 'namespace'>,
  tls: Pick<ServingTls, 'authority'>,
  request: MoverRequest,
) {
  const labels = { ...operationLabels(request.operation), [agentLabels.run]: request.run };
  return planMoverJob({
    ...request,
    labels,
    name: moverJobName(request.run, request.role),
    image: options.image,
    agentUrl: `https://stork-agent.${options.namespace}.svc:9443`,
    agentCa: tls.authority,
  });
}
