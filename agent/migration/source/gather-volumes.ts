/** Finds the volumes that a migration takes along, with what the destination needs to know about each. */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import type { Driver } from '../../../drivers/driver.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolume, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { parseBytes } from '../../../kube/quantity.ts';
import { namesKind } from '../../resources/collect/kinds.ts';
import { storkNames } from '../../resources/names.ts';
import { getTransformer, type Transformer } from '../../resources/transformation/find-transformations.ts';
import type { IncomingVolume } from '../messages.ts';
import { transformationOf } from './collect.ts';
import { type Consumer, claimsOf, gatherConsumers, isRunning } from './gather-consumers.ts';
import type { SourceServices } from './source-services.ts';
import { withTransformed } from './transform-claim.ts';

export interface SourceVolume {
  readonly incoming: IncomingVolume;
  /** The PersistentVolume's name. */
  readonly volume: string;
  readonly driver: Driver;
}

export interface GatheredVolumes {
  readonly volumes: readonly SourceVolume[];
  /** Claims that can't travel, each with the reason; any of them fails the migration. */
  readonly refused: readonly { readonly code: string; readonly message: string; readonly hint: string }[];
  readonly consumers: readonly Consumer[];
}

/** Annotations that describe the claim's life on this cluster, not what the user wanted. */
const localAnnotations = /^(pv\.kubernetes\.io|volume\.(beta\.)?kubernetes\.io|kubectl\.kubernetes\.io\/last-applied)/;
const skipAnnotations = [storkNames.skipResource, storkNames.skipResourceOld];

export async function gatherVolumes(
  services: SourceServices,
  migration: Migration,
  namespaces: readonly string[],
  signal?: AbortSignal,
): Promise<GatheredVolumes> {
  const { spec } = migration;
  const transform = await getTransformer(services.client, transformationOf(migration, namespaces), signal);
  const volumes: SourceVolume[] = [];
  const refused: { code: string; message: string; hint: string }[] = [];
  const consumers: Consumer[] = [];
  for (const namespace of namespaces) {
    for await (const claim of services.client.list(core.persistentVolumeClaims, { namespace, signal })) {
      if (!isSelected(claim, spec) || claim.status?.phase !== 'Bound') continue;
      const found = await gatherVolume(services, { spec, transform }, claim, signal);
      if ('code' in found) refused.push(found);
      else volumes.push(found);
    }
    const names = volumes
      .filter(({ incoming }) => incoming.namespace === namespace)
      .map(({ incoming }) => incoming.name);
    if (names.length > 0) consumers.push(...(await gatherConsumers(services.client, namespace, names, signal)));
  }
  return { volumes, refused, consumers };
}

/** Selected claims that are not among those moved, each with the reason. */
export async function findUnmoved(
  services: SourceServices,
  spec: Migration['spec'],
  of: { readonly namespaces: readonly string[]; readonly moved: ReadonlySet<string | undefined> },
  signal?: AbortSignal,
): Promise<readonly { readonly namespace: string; readonly name: string; readonly reason: string }[]> {
  const found: { namespace: string; name: string; reason: string }[] = [];
  for (const namespace of of.namespaces) {
    for await (const claim of services.client.list(core.persistentVolumeClaims, { namespace, signal })) {
      if (!isSelected(claim, spec) || of.moved.has(claim.metadata.uid)) continue;
      const phase = claim.status?.phase ?? 'Pending';
      const reason =
        phase === 'Bound' ? 'it got its volume after the migration began' : `it has no volume here (it is ${phase})`;
      found.push({ namespace, name: claim.metadata.name, reason });
    }
  }
  return found;
}

async function gatherVolume(
  services: SourceServices,
  { spec, transform }: { readonly spec: Migration['spec']; readonly transform: Transformer },
  claim: PersistentVolumeClaim,
  signal: AbortSignal | undefined,
): Promise<SourceVolume | GatheredVolumes['refused'][number]> {
  const volume = claim.spec?.volumeName ?? '';
  const pv = await services.client.find(core.persistentVolumes, { name: volume }, { signal });
  const driver = pv === undefined ? undefined : services.driverFor({ pv: { ...pv } });
  const transformed = transform({ ...claim });
  if (transformed.did === 'NotFit')
    return {
      code: 'TransformationNotFit',
      message: `persistentvolumeclaim ${claim.metadata.namespace}/${claim.metadata.name}: ${transformed.reason}`,
      hint: 'Correct the ResourceTransformation, or narrow its selectors.',
    };
  if (pv !== undefined && driver !== undefined)
    return { incoming: withTransformed(incomingVolume(claim, pv, spec), claim, transformed), volume, driver };
  const about = `persistentvolumeclaim ${claim.metadata.namespace}/${claim.metadata.name}`;
  return {
    code: 'NoDriver',
    message: `No storage driver knows the volume of ${about}`,
    hint: `Leave it out with the annotation ${storkNames.skipResource}=true, or migrate without volumes.`,
  };
}

function incomingVolume(claim: PersistentVolumeClaim, pv: PersistentVolume, spec: Migration['spec']): IncomingVolume {
  const capacity = pv.spec?.capacity?.storage ?? claim.spec?.resources?.requests?.storage ?? '0';
  const here = claim.spec?.storageClassName ?? pv.spec?.storageClassName;
  const kept = Object.entries(claim.metadata.annotations ?? {}).filter(([name]) => !localAnnotations.test(name));
  return {
    namespace: claim.metadata.namespace ?? '',
    name: claim.metadata.name,
    uid: claim.metadata.uid ?? '',
    sizeBytes: String(parseBytes(capacity)),
    volumeMode: claim.spec?.volumeMode === 'Block' ? 'Block' : 'Filesystem',
    accessModes: claim.spec?.accessModes ?? ['ReadWriteOnce'],
    storageClass: here === undefined || here === '' ? undefined : (spec.storageClassMapping?.[here] ?? here),
    labels: claim.metadata.labels ?? {},
    annotations: Object.fromEntries(kept),
  };
}

/** Without volumes, or with claims excluded, nothing is known of what the source has of them. */
export function takesClaims({ includeVolumes, excludeResourceTypes }: Migration['spec']): boolean {
  return (
    includeVolumes !== false &&
    !(excludeResourceTypes ?? []).some((kind) => namesKind(kind, core.persistentVolumeClaims))
  );
}

function isSelected(claim: PersistentVolumeClaim, spec: Migration['spec']): boolean {
  const labels = claim.metadata.labels ?? {};
  const annotations = claim.metadata.annotations ?? {};
  if (claim.metadata.deletionTimestamp !== undefined) return false;
  if (isManagedByAgent(claim.metadata)) return false;
  if (skipAnnotations.some((name) => annotations[name] === 'true')) return false;
  if (!takesClaims(spec)) return false;
  if (Object.entries(spec.excludeSelectors ?? {}).some(([name, value]) => labels[name] === value)) return false;
  return Object.entries(spec.selectors ?? {}).every(([name, value]) => labels[name] === value);
}

/** The node a live claim is mounted on: a mover without a snapshot must run there. */
export async function findNodeOf(
  client: KubeClient,
  claim: { readonly namespace: string; readonly name: string },
  signal?: AbortSignal,
): Promise<string | undefined> {
  for await (const pod of client.list(core.pods, { namespace: claim.namespace, signal })) {
    if (
      pod.spec !== undefined &&
      isRunning(pod) &&
      claimsOf(pod.spec).includes(claim.name) &&
      pod.spec.nodeName !== undefined
    )
      return pod.spec.nodeName;
  }
  return undefined;
}
