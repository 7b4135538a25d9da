/**
 * Storage of a cluster: our CSI driver on each node and as the cluster's
 * controller, under the real sidecars, which run as processes on the host; the
 * snapshot CRDs and controller; classes and static local volumes.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toYaml } from './addons.ts';
import type { ClusterInputs, StartedCluster } from './cluster.ts';
import { type PreparedNode, waitFor } from './node.ts';
import { csiDriverName, volumesFolder } from './node-configs.ts';
import { clusterPlace, kubeconfigPlace, nodePlace, type Places, thisBed } from './places.ts';
import type { NodePlan } from './plan.ts';
import { runCommand, tryCommand } from './run-command.ts';
import { localVolumeFolder, localVolumesPerNode, planStorageObjects } from './storage-objects.ts';

export interface StorageInputs extends ClusterInputs {
  /** Folder with the snapshot CRDs. */
  readonly snapshotCrds: string;
}

/** Retries start fast: a minute of back-off is realistic, but only slows tests down. */
const retries = ['--retry-interval-start=200ms', '--retry-interval-max=5s'];

export async function startStorage(inputs: StorageInputs, started: StartedCluster): Promise<void> {
  const { places, cluster, daemons, binaries, snapshotCrds } = inputs;
  await Promise.all(started.nodes.map(({ node, prepared }) => startNodeDriver(inputs, node, prepared)));
  await started.kubectl(['apply', '--server-side', '-k', snapshotCrds]);
  await started.kubectl(['wait', '--for=condition=Established', '--timeout=180s', 'crd', '--all']);
  await started.kubectl(['apply', '--server-side', '-f', '-'], toYaml(planStorageObjects(cluster)));

  const socket = join(clusterPlace(places, cluster.name), 'csi.sock');
  const nodes = cluster.nodes.map((node) => `${node.name}=${nodeSocket(places, node)}`).join(',');
  const controller = [binaries.path('csi-driver'), 'controller', `--socket=${socket}`, `--nodes=${nodes}`];
  await daemons.start(`${cluster.name}-csi-controller`, controller);
  await waitFor(`cluster ${cluster.name}'s CSI controller`, () => tryCommand('test', ['-S', socket]));

  const kubeconfig = `--kubeconfig=${kubeconfigPlace(places, cluster.name)}`;
  const address = `--csi-address=${socket}`;
  const sidecars = {
    'csi-provisioner': [address, kubeconfig, ...retries, '--feature-gates=Topology=true', '--extra-create-metadata'],
    'csi-attacher': [address, kubeconfig, ...retries],
    'csi-resizer': [address, kubeconfig, ...retries, '--handle-volume-inuse-error=false'],
    'csi-snapshotter': [address, kubeconfig, ...retries, '--extra-create-metadata'],
    'snapshot-controller': [kubeconfig, ...retries],
  } as const;
  for (const name of [
    'csi-provisioner',
    'csi-attacher',
    'csi-resizer',
    'csi-snapshotter',
    'snapshot-controller',
  ] as const) {
    await daemons.start(`${cluster.name}-${name}`, [binaries.path(name), ...sidecars[name]]);
  }
}

async function startNodeDriver(inputs: StorageInputs, node: NodePlan, { enter }: PreparedNode): Promise<void> {
  const { places, binaries, daemons } = inputs;
  const [program = '', ...args] = enter;
  for (let number = 1; number <= localVolumesPerNode; number++) {
    await runCommand(program, [...args, 'mkdir', '-p', localVolumeFolder(number)]);
  }
  await mkdir(join(nodePlace(places, node.name), 'kubelet', 'plugins', csiDriverName), { recursive: true });
  await daemons.start(`${node.name}-csi-driver`, [
    ...enter,
    ...[binaries.path('csi-driver'), 'node', `--node=${node.name}`, `--folder=${volumesFolder}/${thisBed().name}`],
    `--socket=/var/lib/kubelet/plugins/${csiDriverName}/csi.sock`,
    `--registration=/var/lib/kubelet/plugins_registry/${csiDriverName}-reg.sock`,
  ]);
}

/** The driver's socket as the host sees it: the same file, not through the node's mounts. */
function nodeSocket(places: Places, node: NodePlan): string {
  return join(nodePlace(places, node.name), 'kubelet', 'plugins', csiDriverName, 'csi.sock');
}
