/** Reads what decideClaim needs to know about one incoming claim on this (the destination's) cluster. */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolumeClaim, type Pod, type StorageClass } from '../../../kube/client/core.ts';
import { parseBytes } from '../../../kube/quantity.ts';
import { isRootAdmitted } from '../find-identity.ts';
import type { IncomingVolume } from '../messages.ts';
import type { Records } from '../records.ts';
import type { ClaimFacts, ExistingClaim } from './decide-claim.ts';
import { hasEnded } from './find-use.ts';

export interface ClusterFacts {
  readonly storageClasses: ClaimFacts['storageClasses'];
  /** Pods that have not ended, movers aside, by `namespace/claim`. */
  readonly podsByClaim: ReadonlyMap<string, readonly string[]>;
  /** The unfinished operation that writes a claim, by `namespace/claim`. */
  readonly busy: ReadonlyMap<string, Busy>;
  /** Namespaces in which movers run as the pods' users. */
  readonly restricted: ReadonlySet<string>;
}

export interface Busy {
  readonly operation: string;
  /** `namespace/name` on its source. */
  readonly migration: string;
  readonly pairId: string;
}

/** As a sentence names it: another pair's Migration is nobody's business, its operation tells who has the log. */
export const nameBusy = ({ operation, migration, pairId }: Busy, asking: string): string =>
  pairId === asking ? `Migration ${migration}` : `operation ${operation} of another pair`;

/** What is read once for many claims. */
export async function gatherClusterFacts(
  client: KubeClient,
  records: Records,
  namespaces: readonly string[],
  signal?: AbortSignal,
): Promise<ClusterFacts> {
  const storageClasses: ClaimFacts['storageClasses'][number][] = [];
  for await (const storageClass of client.list(core.storageClasses, { signal }))
    storageClasses.push(classFacts(storageClass));
  const podsByClaim = new Map<string, string[]>();
  for (const namespace of new Set(namespaces)) {
    for await (const pod of client.list(core.pods, { namespace, signal })) notePod(podsByClaim, pod);
  }
  const restricted = new Set<string>();
  for (const name of new Set(namespaces)) {
    if (!(await isRootAdmitted(client, name, signal))) restricted.add(name);
  }
  const busy = new Map<string, Busy>();
  for (const { value } of await records.listReceives(signal)) {
    if (value.phase !== 'Working') continue;
    const { operation, migration, claims } = value.request;
    const writer = { operation, migration, pairId: value.pairId };
    for (const claim of claims) busy.set(`${claim.namespace}/${claim.name}`, writer);
  }
  return { storageClasses, podsByClaim, busy, restricted };
}

export async function gatherClaimFacts(
  clients: { readonly client: KubeClient; readonly records: Records },
  cluster: ClusterFacts,
  incoming: IncomingVolume,
  context: { readonly pairId: string; readonly operation: string; readonly overwrite: ClaimFacts['overwrite'] },
  signal?: AbortSignal,
): Promise<ClaimFacts> {
  const key = `${incoming.namespace}/${incoming.name}`;
  const existing = await clients.client.find(core.persistentVolumeClaims, incoming, { signal });
  const memory = await clients.records.findClaim(incoming.namespace, incoming.name, signal);
  const busyWith = cluster.busy.get(key);
  return {
    incoming: {
      namespace: incoming.namespace,
      name: incoming.name,
      pairId: context.pairId,
      sizeBytes: BigInt(incoming.sizeBytes),
      volumeMode: incoming.volumeMode,
      storageClass: incoming.storageClass,
    },
    existing: existing === undefined ? undefined : existingClaim(existing),
    memory,
    activePods: cluster.podsByClaim.get(key) ?? [],
    busyWith:
      busyWith === undefined || busyWith.operation === context.operation
        ? undefined
        : nameBusy(busyWith, context.pairId),
    storageClasses: cluster.storageClasses,
    overwrite: context.overwrite,
  };
}

function existingClaim(claim: PersistentVolumeClaim): ExistingClaim {
  const size = claim.status?.capacity?.storage ?? claim.spec?.resources?.requests?.storage ?? '0';
  return {
    uid: claim.metadata.uid ?? '',
    phase: claim.status?.phase ?? 'Pending',
    terminating: claim.metadata.deletionTimestamp !== undefined,
    sizeBytes: parseBytes(size),
    volumeMode: claim.spec?.volumeMode === 'Block' ? 'Block' : 'Filesystem',
    storageClass: claim.spec?.storageClassName,
  };
}

function classFacts(storageClass: StorageClass): ClaimFacts['storageClasses'][number] {
  const mark = storageClass.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'];
  const canGrow = storageClass.allowVolumeExpansion === true ? 'Yes' : 'No';
  return { name: storageClass.metadata.name, isDefault: mark === 'true', canGrow };
}

function notePod(podsByClaim: Map<string, string[]>, pod: Pod): void {
  if (hasEnded(pod) || isManagedByAgent(pod.metadata)) return;
  for (const volume of pod.spec?.volumes ?? []) {
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim === undefined) continue;
    const key = `${pod.metadata.namespace}/${claim}`;
    podsByClaim.set(key, [...(podsByClaim.get(key) ?? []), pod.metadata.name]);
  }
}
