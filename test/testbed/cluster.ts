/**
 * One cluster of the bed: control plane on the host, listening on the bridge's
 * address, and its nodes. Data stay in the state folder until `down`.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answersReadyz } from './apiserver.ts';
import type { Binaries, Report } from './binaries.ts';
import {
  apiServerArguments,
  controllerManagerArguments,
  controlPlaneIdentities,
  etcdArguments,
  schedulerArguments,
} from './control-plane.ts';
import type { Daemons } from './daemons.ts';
import { type KubeconfigEntry, writeKubeconfig } from './kubeconfig.ts';
import { type PreparedNode, prepareNode, startNodeAgents, waitFor } from './node.ts';
import { createPki, type Pki } from './pki.ts';
import { clusterPlace, kubeconfigPlace, type Places } from './places.ts';
import { type ClusterPlan, type NodePlan, serverUrl } from './plan.ts';
import { runCommand } from './run-command.ts';

export interface ClusterInputs {
  readonly places: Places;
  readonly binaries: Binaries;
  readonly daemons: Daemons;
  readonly cluster: ClusterPlan;
  readonly report: Report;
  readonly audit: 'On' | 'Off';
}

export interface StartedCluster {
  readonly cluster: ClusterPlan;
  readonly kubeconfig: KubeconfigEntry;
  readonly nodes: readonly { readonly node: NodePlan; readonly prepared: PreparedNode }[];
  /** kubectl as the cluster's admin. @returns stdout. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    resources: [{ group: coordination.k8s.io, resources: [leases] }, { group: "", resources: [events] }]
  - level: Metadata
`;

export async function startCluster(inputs: ClusterInputs): Promise<StartedCluster> {
  const { places, cluster, daemons, binaries } = inputs;
  const folder = clusterPlace(places, cluster.name);
  await mkdir(folder, { recursive: true });
  const pki = await createPki(join(folder, 'pki'));
  const preparing = Promise.all(cluster.nodes.map((node) => prepareNode({ ...inputs, node })));
  preparing.catch(() => {
    // Awaited below; meanwhile the control plane starts.
  });
  const kubeconfig = await startControlPlane(inputs, pki, folder);
  const prepared = await preparing;
  await Promise.all(
    cluster.nodes.map(async (node, index) => {
      const own = prepared[index];
      if (own !== undefined) await startNodeAgents({ places, binaries, daemons, cluster, node }, own, pki);
    }),
  );
  const path = kubeconfigPlace(places, cluster.name);
  return {
    cluster,
    kubeconfig,
    nodes: cluster.nodes.flatMap((node, index) => {
      const own = prepared[index];
      return own === undefined ? [] : [{ node, prepared: own }];
    }),
    kubectl: (args, input) =>
      runCommand(binaries.path('kubectl'), ['--kubeconfig', path, ...args], input === undefined ? {} : { input }),
  };
}

async function startControlPlane(inputs: ClusterInputs, pki: Pki, folder: string): Promise<KubeconfigEntry> {
  const { binaries, daemons, cluster, places } = inputs;
  const url = serverUrl(cluster);
  const identities = controlPlaneIdentities([cluster.hostAddress, cluster.kubernetesServiceAddress, '127.0.0.1']);
  const settings = { dataFolder: join(folder, 'etcd'), port: cluster.etcdPort, peerPort: cluster.etcdPeerPort };
  await daemons.start(`${cluster.name}-etcd`, [binaries.path('etcd'), ...etcdArguments(settings)]);
  const [serving, kubeletClient, frontProxy, admin, controllerManager, scheduler] = await Promise.all([
    pki.issue(identities.serving),
    pki.issue(identities.kubeletClient),
    pki.issue(identities.frontProxy),
    pki.issue(identities.admin),
    pki.issue(identities.controllerManager),
    pki.issue(identities.scheduler),
  ]);
  const audit = { policyFile: join(folder, 'audit-policy.yaml'), logFile: join(folder, 'audit.log') };
  await writeFile(audit.policyFile, auditPolicy);
  const apiServer = apiServerArguments({
    address: cluster.hostAddress,
    port: cluster.apiServerPort,
    etcdPort: cluster.etcdPort,
    serviceCidr: cluster.serviceCidr,
    pki,
    serving,
    kubeletClient,
    frontProxy,
    ...(inputs.audit === 'On' ? { audit } : {}),
  });
  await daemons.start(`${cluster.name}-kube-apiserver`, [binaries.path('kube-apiserver'), ...apiServer]);
  const entry = { context: cluster.name, url, caCertificate: pki.ca.certificate };
  await writeKubeconfig(kubeconfigPlace(places, cluster.name), [{ ...entry, credential: admin }]);
  const ca = await readFile(pki.ca.certificate);
  await waitFor(`cluster ${cluster.name}'s API server`, () => answersReadyz(url, ca), 180_000);
  await startControllers({ inputs, pki, folder, entry, controllerManager, scheduler });
  return { ...entry, credential: admin };
}

interface ControllerInputs {
  readonly inputs: ClusterInputs;
  readonly pki: Pki;
  readonly folder: string;
  readonly entry: Omit<KubeconfigEntry, 'credential'>;
  readonly controllerManager: KubeconfigEntry['credential'];
  readonly scheduler: KubeconfigEntry['credential'];
}

async function startControllers(given: ControllerInputs): Promise<void> {
  const { inputs, pki, folder, entry } = given;
  const { binaries, daemons, cluster } = inputs;
  const managerConfig = join(folder, 'controller-manager.kubeconfig');
  await writeKubeconfig(managerConfig, [{ ...entry, credential: given.controllerManager }]);
  const manager = { kubeconfig: managerConfig, port: cluster.controllerManagerPort, pki };
  await daemons.start(`${cluster.name}-kube-controller-manager`, [
    binaries.path('kube-controller-manager'),
    ...controllerManagerArguments(manager),
  ]);
  const schedulerConfig = join(folder, 'scheduler.kubeconfig');
  await writeKubeconfig(schedulerConfig, [{ ...entry, credential: given.scheduler }]);
  const scheduler = { kubeconfig: schedulerConfig, port: cluster.schedulerPort };
  await daemons.start(`${cluster.name}-kube-scheduler`, [
    binaries.path('kube-scheduler'),
    ...schedulerArguments(scheduler),
  ]);
}
