/**
 * What PersistentVolumes, nodes and VolumeAttachments say about a volume, for every driver whose storage is only known
 * through the Kubernetes API. The functions named `find…`/`decide…` are pure.
 */
import type { AnyObject, KubeClient } from '../kube/client/client.ts';
import { core, type Node, type PersistentVolume, type StorageClass } from '../kube/client/core.ts';
import { parseBytes } from '../kube/quantity.ts';
import { mapLimit } from '../kube/runtime/map-limit.ts';
import type { VolumeFacts, VolumeRef } from './driver.ts';

/** What we use of a Node. */
export interface NodeRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ready: 'Yes' | 'No';
}

export interface InspectRequest {
  readonly client: KubeClient;
  readonly volumes: readonly VolumeRef[];
  /** Whether a PersistentVolume belongs to the asking driver. */
  owns(pv: PersistentVolume): boolean;
  readonly signal?: AbortSignal | undefined;
}

/** From this many volumes on, one paged list is cheaper than single reads. */
const listFrom = 20;
/** Single reads at the same time. */
const readConcurrency = 8;

/** Facts by PersistentVolume name; volumes that are unknown, unbound, of another claim or another driver are absent. */
export async function inspectPersistentVolumes(request: InspectRequest): Promise<Map<string, VolumeFacts>> {
  const { client, volumes, signal } = request;
  const facts = new Map<string, VolumeFacts>();
  if (volumes.length === 0) return facts;
  const pvs = await findPersistentVolumes(client, new Set(volumes.map((ref) => ref.volume)), signal);
  const nodes = await listNodes(client, signal);
  const attached = await listAttachments(client, signal);
  for (const ref of volumes) {
    const pv = pvs.get(ref.volume);
    if (pv === undefined || !request.owns(pv) || pv.spec?.claimRef?.uid !== ref.claim.uid) continue;
    facts.set(ref.volume, describeVolume(pv, ref, nodes, attached.get(ref.volume) ?? []));
  }
  return facts;
}

/** All nodes, projected. */
export async function listNodes(client: KubeClient, signal?: AbortSignal): Promise<readonly NodeRecord[]> {
  const nodes: NodeRecord[] = [];
  for await (const node of client.list(core.nodes, { signal })) nodes.push(projectNode(node));
  return nodes;
}

/** Names of the nodes that a volume's affinity admits: OR over terms, AND inside a term, as the scheduler reads it. */
export function decideReachable(pv: PersistentVolume, nodes: readonly NodeRecord[]): readonly string[] | 'All' {
  const terms = pv.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms === undefined) return 'All';
  return nodes
    .filter((node) => terms.some((term) => matchesTerm(term, node)))
    .map((node) => node.name)
    .toSorted();
}

/**
 * Nodes that hold the data: known only when the affinity names one node by something narrower than a zone (local volumes,
 * hostpath-like CSI drivers). A zone that happens to have one node proves nothing.
 */
export function decideReplicas(pv: PersistentVolume, reachable: readonly string[] | 'All'): readonly string[] {
  if (reachable === 'All' || reachable.length !== 1) return [];
  const terms = pv.spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  const keys = terms.flatMap((term) => [...(term.matchExpressions ?? []), ...(term.matchFields ?? [])]);
  return keys.some((requirement) => !wideKeys.has(requirement.key)) ? reachable : [];
}

/** Objects of a driver's callers come from the API server, where these kinds have these shapes. */
export function assertPersistentVolume(pv: AnyObject): PersistentVolume {
  return pv as KubeTyped<PersistentVolume>;
}

export function assertStorageClass(storageClass: AnyObject): StorageClass & { readonly provisioner: string } {
  return storageClass as KubeTyped<StorageClass & { readonly provisioner: string }>;
}

type KubeTyped<T> = AnyObject & T;

type Term = NonNullable<
  NonNullable<NonNullable<NonNullable<PersistentVolume['spec']>['nodeAffinity']>['required']>['nodeSelectorTerms']
>[number];
type Requirement = NonNullable<Term['matchExpressions']>[number];

const wideKeys: ReadonlySet<string> = new Set([
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'topology.ebs.csi.aws.com/zone',
  'topology.disk.csi.azure.com/zone',
  'topology.gke.io/zone',
]);

function describeVolume(
  pv: PersistentVolume,
  ref: VolumeRef,
  nodes: readonly NodeRecord[],
  attachedTo: readonly string[],
): VolumeFacts {
  const reachableFrom = decideReachable(pv, nodes);
  return {
    ref,
    sizeBytes: parseBytes(pv.spec?.capacity?.storage ?? '0'),
    usedBytes: undefined,
    mode: pv.spec?.volumeMode === 'Block' ? 'Block' : 'Filesystem',
    accessModes: pv.spec?.accessModes ?? [],
    storageClass: pv.spec?.storageClassName === '' ? undefined : pv.spec?.storageClassName,
    reachableFrom,
    replicas: decideReplicas(pv, reachableFrom),
    attachedTo,
  };
}

async function findPersistentVolumes(
  client: KubeClient,
  names: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, PersistentVolume>> {
  const found = new Map<string, PersistentVolume>();
  if (names.size >= listFrom) {
    for await (const pv of client.list(core.persistentVolumes, { signal }))
      if (names.has(pv.metadata.name)) found.set(pv.metadata.name, pv);
    return found;
  }
  await mapLimit(
    [...names],
    readConcurrency,
    async (name, inner) => {
      const pv = await client.find(core.persistentVolumes, { name }, { signal: inner });
      if (pv !== undefined) found.set(name, pv);
    },
    signal,
  );
  return found;
}

async function listAttachments(
  client: KubeClient,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const nodesOf = new Map<string, string[]>();
  for await (const attachment of client.list(core.volumeAttachments, { signal })) {
    const volume = attachment.spec?.source?.persistentVolumeName;
    if (volume === undefined || attachment.status?.attached !== true) continue;
    nodesOf.set(volume, [...(nodesOf.get(volume) ?? []), attachment.spec.nodeName].toSorted());
  }
  return nodesOf;
}

function projectNode(node: Node): NodeRecord {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready')?.status === 'True';
  return { name: node.metadata.name, labels: node.metadata.labels ?? {}, ready: ready ? 'Yes' : 'No' };
}

function matchesTerm(term: Term, node: NodeRecord): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((requirement) => matches(requirement, node.labels[requirement.key])) &&
    fields.every((requirement) => requirement.key === 'metadata.name' && matches(requirement, node.name))
  );
}

function matches({ operator, values = [] }: Requirement, actual: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
      return actual !== undefined && Number(actual) > Number(values[0]);
    case 'Lt':
      return actual !== undefined && Number(actual) < Number(values[0]);
    default:
      return false;
  }
}
