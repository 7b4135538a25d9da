/**
 * The migration feature as it runs in the leader: the Migration machine (source) and the receive controller (destination),
 * woken by what they wait for (jobs, pods, snapshots, records), and the routes that answer peers.
 */
import { createHash } from 'node:crypto';
import { type ClusterPair, clusterPairs, type Migration, migrations } from '../../crds/v1alpha1/index.ts';
import type { KubeObject } from '../../kube/client/client.ts';
import {
  type ConfigMap,
  type CustomResourceDefinition,
  core,
  type Job,
  type Pod,
  type VolumeSnapshot,
} from '../../kube/client/core.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { createController } from '../../kube/runtime/controller.ts';
import type { Change, InformerDefinition } from '../../kube/runtime/informer.ts';
import type { InformerSet } from '../../kube/runtime/informer-set.ts';
import { createMachineController, type MachineControllerOptions } from '../../kube/runtime/machine-controller.ts';
import type { PeerRoute } from '../peer/peer.ts';
import type { DestinationServices } from './destination/destination-services.ts';
import { receive } from './destination/receive.ts';
import { destinationRoutes } from './destination/routes.ts';
import { agentLabels } from './names.ts';
import { pairOf, receiveRecordSelector } from './records.ts';
import { migrationMachine } from './source/migration-machine.ts';
import type { SourceServices } from './source/source-services.ts';

export interface MigrationFeature {
  readonly routes: readonly PeerRoute[];
  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface MigrationFeatureParts {
  readonly source: SourceServices;
  readonly destination: DestinationServices;
  readonly environment: MachineControllerOptions;
}

/** What a change of an object of ours tells: whose it is, and whether anything but its version changed. */
interface OwnedEntry {
  readonly operation: string;
  readonly run: string;
  readonly state: string;
}

export function createMigrationFeature(parts: MigrationFeatureParts): MigrationFeature {
  const { source, destination, environment } = parts;
  const { informers } = environment;
  const sourceController = createMachineController(migrationMachine(source), environment);
  const receiveController = createController({
    ...environment,
    name: 'receive',
    reconcile: (run, signal) => receive(destination, run, signal),
  });
  const migrationsByUid = informers.informer(migrationUids);
  const wakeMigration = (change: Change<OwnedEntry>) =>
    migrationsByUid.by('uid', entryOf(change).operation).map(({ key }) => key);
  for (const informer of [informers.informer(ownedJobs), informers.informer(ownedPods)]) {
    sourceController.watch(informer, wakeMigration);
    receiveController.watch(informer, (change) => runsOf(entryOf(change)));
  }
  watchSnapshots(informers, (change) => {
    for (const key of wakeMigration(change)) sourceController.enqueue(key);
  });
  const records = informers.informer(receiveRecords(source.agentNamespace));
  receiveController.watch(records, (change) => runsOf(entryOf(change)));
  receiveController.watch(informers.informer(usablePairs), ({ key }) => records.by('pair', key).map(({ run }) => run));
  return {
    routes: destinationRoutes({ services: destination, wake: (run) => receiveController.enqueue(run) }),
    async run(signal) {
      await Promise.all([sourceController.run(signal), receiveController.run(signal)]);
    },
  };
}

/** Asked for only where external-snapshotter's CRD is: without it every list is refused, again and again. */
function watchSnapshots(informers: InformerSet, onChange: (change: Change<OwnedEntry>) => void): void {
  let isAsked = false;
  informers.informer(snapshotKind).subscribe(({ type }) => {
    if (type === 'Deleted' || isAsked) return;
    isAsked = true;
    informers.informer(ownedSnapshots).subscribe(onChange);
  });
}

const entryOf = (change: Change<OwnedEntry>): OwnedEntry => (change.type === 'Deleted' ? change.before : change.now);

const runsOf = (entry: OwnedEntry): readonly string[] => (entry.run === '' ? [] : [entry.run]);

function owned(object: KubeObject, facts: unknown): OwnedEntry {
  const labels = object.metadata.labels ?? {};
  const state = createHash('sha256')
    .update(JSON.stringify(facts) ?? '')
    .digest('base64');
  return { operation: labels[agentLabels.operation] ?? '', run: labels[agentLabels.run] ?? '', state };
}

const migrationUids: InformerDefinition<Migration, { readonly uid: string; readonly key: string }> = {
  resource: migrations,
  project: ({ metadata }) => ({ uid: metadata.uid ?? '', key: `${metadata.namespace}/${metadata.name}` }),
  indexers: { uid: (entry) => [entry.uid] },
};

const ofOperations = agentLabels.operation;

const ownedJobs: InformerDefinition<Job, OwnedEntry> = {
  resource: core.jobs,
  labelSelector: ofOperations,
  project: (job) => owned(job, job.status?.conditions),
};

const ownedPods: InformerDefinition<Pod, OwnedEntry> = {
  resource: core.pods,
  labelSelector: ofOperations,
  project: (pod) => owned(pod, [pod.status?.phase, pod.status?.containerStatuses?.map(({ state }) => state)]),
};

const ownedSnapshots: InformerDefinition<VolumeSnapshot, OwnedEntry> = {
  resource: core.volumeSnapshots,
  labelSelector: ofOperations,
  project: (snapshot) => owned(snapshot, snapshot.status),
};

const snapshotKind: InformerDefinition<CustomResourceDefinition, 'Defined'> = {
  resource: core.customResourceDefinitions,
  fieldSelector: `metadata.name=${core.volumeSnapshots.plural}.${core.volumeSnapshots.group}`,
  project: () => 'Defined',
};

/** Wakes what came over a pair when that can't be used any more. */
const usablePairs: InformerDefinition<ClusterPair, { readonly reason: string; readonly pairId: string }> = {
  resource: clusterPairs,
  project: ({ status }) => ({
    reason: findCondition(status?.conditions, 'Ready')?.reason ?? '',
    pairId: status?.pairId ?? '',
  }),
};

const receiveRecords = (namespace: string): InformerDefinition<ConfigMap, OwnedEntry & { readonly pair: string }> => ({
  resource: core.configMaps,
  namespace,
  labelSelector: receiveRecordSelector,
  project: (map) => ({ ...owned(map, map.data), pair: pairOf(map) }),
  indexers: { pair: ({ pair }) => [pair] },
});
