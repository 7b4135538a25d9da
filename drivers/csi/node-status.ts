/**
 * A CSI driver's health on each node, from three witnesses of the Kubernetes API: CSINode (registered), the driver's
 * node-plugin pod (alive; the CSINode entry survives its crash) and the node's own readiness. There is no Degraded here.
 * A driver whose plugin does not run in pods is judged by the other two.
 */
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type DaemonSet, type Pod } from '../../kube/client/core.ts';
import type { StorageNode } from '../driver.ts';
import { listNodes, type NodeRecord } from '../persistent-volume.ts';

export interface NodeWitnesses {
  readonly node: NodeRecord;
  readonly registered: 'Yes' | 'No';
  /** The node-plugin pod here; 'NotInPods' when the driver has no such pods anywhere. */
  readonly plugin: 'Ready' | 'NotReady' | 'Absent' | 'NotInPods';
}

export async function listStorageNodes(
  client: KubeClient,
  provisioner: string,
  signal?: AbortSignal,
): Promise<readonly StorageNode[]> {
  const nodes = await listNodes(client, signal);
  const registered = new Set<string>();
  for await (const csiNode of client.list(core.csiNodes, { signal }))
    if (csiNode.spec?.drivers?.some((driver) => driver.name === provisioner)) registered.add(csiNode.metadata.name);
  const plugins = await listPluginPods(client, provisioner, signal);
  return nodes.map((node) =>
    decideStorageNode(provisioner, {
      node,
      registered: registered.has(node.name) ? 'Yes' : 'No',
      plugin: plugins === 'NotInPods' ? plugins : (plugins.get(node.name) ?? 'Absent'),
    }),
  );
}

export function decideStorageNode(provisioner: string, { node, registered, plugin }: NodeWitnesses): StorageNode {
  const place = {
    node: node.name,
    zone: node.labels['topology.kubernetes.io/zone'],
    region: node.labels['topology.kubernetes.io/region'],
    rack: node.labels['topology.kubernetes.io/rack'],
  };
  const offline = (reason: string): StorageNode => ({ ...place, status: 'Offline', reason });
  if (registered === 'No') return offline(`${provisioner} is not registered on this node`);
  if (node.ready === 'No') return offline('the node is not Ready');
  if (plugin === 'NotReady') return offline(`the node-plugin pod of ${provisioner} is not Ready`);
  if (plugin === 'Absent') return offline(`no node-plugin pod of ${provisioner} runs here`);
  return { ...place, status: 'Online', reason: '' };
}

/** Whether a DaemonSet is a driver's node plugin: it mounts a kubelet plugin folder and names the driver or its folder. */
export function isNodePlugin(daemonSet: DaemonSet, provisioner: string): boolean {
  const spec = daemonSet.spec?.template?.spec;
  const paths = (spec?.volumes ?? []).map((volume) => volume.hostPath?.path ?? '');
  if (!paths.some((path) => /\/plugins(_registry)?(\/|$)/.test(path))) return false;
  const containers = spec?.containers ?? [];
  const words = containers.flatMap((container) => [
    ...(container.args ?? []),
    ...(container.command ?? []),
    ...(container.env ?? []).map((variable) => variable.value ?? ''),
  ]);
  return [...paths, ...words].some((text) => namesDriver(text, provisioner));
}

/** The name as a whole word: `csi.example` must not be found in `csi.example.com`. */
function namesDriver(text: string, provisioner: string): boolean {
  for (let at = text.indexOf(provisioner); at >= 0; at = text.indexOf(provisioner, at + 1)) {
    const around = [text[at - 1] ?? '/', text[at + provisioner.length] ?? '/'];
    if (around.every((character) => !/[a-zA-Z0-9.-]/.test(character))) return true;
  }
  return false;
}

async function listPluginPods(
  client: KubeClient,
  provisioner: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, 'Ready' | 'NotReady'> | 'NotInPods'> {
  const pods = new Map<string, 'Ready' | 'NotReady'>();
  let found = 0;
  for await (const daemonSet of client.list(core.daemonSets, { signal })) {
    if (!isNodePlugin(daemonSet, provisioner)) continue;
    found += 1;
    const { namespace } = daemonSet.metadata;
    const labelSelector = Object.entries(daemonSet.spec?.selector.matchLabels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    for await (const pod of client.list(core.pods, { namespace, labelSelector, signal }))
      if (pod.spec?.nodeName !== undefined && isOwnedBy(pod, daemonSet)) pods.set(pod.spec.nodeName, podState(pod));
  }
  return found === 0 ? 'NotInPods' : pods;
}

function isOwnedBy(pod: Pod, daemonSet: DaemonSet): boolean {
  return (pod.metadata.ownerReferences ?? []).some((owner) => owner.uid === daemonSet.metadata.uid);
}

function podState(pod: Pod): 'Ready' | 'NotReady' {
  if (pod.metadata.deletionTimestamp !== undefined) return 'NotReady';
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' ? 'Ready' : 'NotReady';
}
