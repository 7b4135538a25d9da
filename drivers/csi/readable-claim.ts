/** A claim in another namespace with a snapshot's content: import of the handle, claim, and the way back. */
import { createHash } from 'node:crypto';
import type { KubeClient, ObjectKey } from '../../kube/client/client.ts';
import {
  core,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { parseBytes } from '../../kube/quantity.ts';
import type { SnapshotRequest, SnapshotState } from '../driver.ts';
import { deleteOwned, ensureOwned, isOwnedBy, ownedBy } from './ownership.ts';
import { placeCopy } from './selected-node.ts';
import type { CsiAccess } from './source-volume.ts';

export interface ReadableTarget {
  readonly namespace: string;
  readonly name: string;
}

export interface ReadableClaimRequest {
  readonly access: CsiAccess;
  readonly request: SnapshotRequest;
  readonly into: ReadableTarget;
  /** The source's volume, while it exists. */
  readonly pv: PersistentVolume | undefined;
  /** The source snapshot's content. */
  readonly content: VolumeSnapshotContent;
  readonly state: SnapshotState & { readonly phase: 'Ready' };
  readonly signal?: AbortSignal | undefined;
}

/** Idempotent: each of the three objects is made once. The claim binds when a pod uses it or at once, as its class says. */
export async function ensureReadableClaim(readable: ReadableClaimRequest): Promise<ObjectKey> {
  const { access, request, into, signal } = readable;
  const { client } = access;
  const options = { owner: request, signal };
  await ensureOwned(client, core.volumeSnapshotContents, planContent(readable), options);
  await ensureOwned(client, core.volumeSnapshots, planImport(readable), options);
  const storageClass = await chooseStorageClass(readable);
  const placement = readable.pv === undefined ? {} : await placeCopy(access, readable.pv, storageClass, signal);
  await ensureOwned(client, core.persistentVolumeClaims, planClaim(readable, storageClass, placement), options);
  return { namespace: into.namespace, name: into.name };
}

/** Claim first, then its volume, then the imported snapshot, then its content; the storage's snapshot stays. */
export async function releaseReadableClaim(
  client: KubeClient,
  request: SnapshotRequest,
  into: ReadableTarget,
  signal?: AbortSignal,
): Promise<'Gone' | 'Releasing'> {
  const owned = { owner: request, signal };
  const claim = await client.find(core.persistentVolumeClaims, into, { signal });
  if (claim !== undefined && isOwnedBy(claim, request)) {
    await letVolumeGo(client, claim, signal);
    await deleteOwned(client, core.persistentVolumeClaims, into, owned);
    const left = await client.find(core.persistentVolumeClaims, into, { signal });
    if (left !== undefined && isOwnedBy(left, request)) return 'Releasing';
  }
  if ((await countVolumesOf(client, into, signal)) > 0) return 'Releasing';
  if ((await deleteOwned(client, core.volumeSnapshots, into, owned)) === 'Releasing') return 'Releasing';
  return await deleteOwned(client, core.volumeSnapshotContents, { name: importName(into) }, owned);
}

/** Cluster-wide and unique for the target: its own name alone could clash with another namespace's. */
function importName(into: ReadableTarget): string {
  const digest = createHash('sha256').update(`${into.namespace}/${into.name}`).digest('hex').slice(0, 10);
  return `stork-${into.name.slice(0, 200)}-${digest}`;
}

function planContent({ access, request, into, pv, content, state }: ReadableClaimRequest): VolumeSnapshotContent {
  const sourceVolumeMode = content.spec.sourceVolumeMode ?? pv?.spec?.volumeMode;
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshotContent',
    metadata: { name: importName(into), labels: request.labels, annotations: ownedBy(request) },
    spec: {
      deletionPolicy: 'Retain',
      driver: access.provisioner,
      source: { snapshotHandle: state.handle },
      volumeSnapshotRef: {
        apiVersion: 'snapshot.storage.k8s.io/v1',
        kind: 'VolumeSnapshot',
        namespace: into.namespace,
        name: into.name,
      },
      ...(sourceVolumeMode === undefined ? {} : { sourceVolumeMode }),
      ...(content.spec.volumeSnapshotClassName === undefined
        ? {}
        : { volumeSnapshotClassName: content.spec.volumeSnapshotClassName }),
    },
  };
}

function planImport({ request, into, content }: ReadableClaimRequest): VolumeSnapshot {
  const className = content.spec.volumeSnapshotClassName;
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: {
      name: into.name,
      namespace: into.namespace,
      labels: request.labels,
      annotations: ownedBy(request),
    },
    spec: {
      source: { volumeSnapshotContentName: importName(into) },
      ...(className === undefined ? {} : { volumeSnapshotClassName: className }),
    },
  };
}

function planClaim(
  { request, into, pv, content, state }: ReadableClaimRequest,
  storageClass: string,
  placement: Readonly<Record<string, string>>,
): PersistentVolumeClaim {
  const capacity = parseBytes(pv?.spec?.capacity?.storage ?? '0');
  const restore = state.restoreSizeBytes ?? 0n;
  const modes = pv?.spec?.accessModes ?? ['ReadWriteOnce'];
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: into.name,
      namespace: into.namespace,
      labels: request.labels,
      annotations: { ...ownedBy(request), ...placement },
    },
    spec: {
      // One mover reads it: the narrowest mode that the source has asks the least of the storage.
      accessModes: modes.includes('ReadWriteOnce') ? ['ReadWriteOnce'] : modes,
      volumeMode: pv?.spec?.volumeMode ?? content.spec.sourceVolumeMode ?? 'Filesystem',
      storageClassName: storageClass,
      resources: { requests: { storage: `${restore > capacity ? restore : capacity}` } },
      dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: into.name },
    },
  };
}

/** The source's class while it exists, else any class of the same driver. */
async function chooseStorageClass({ access, request, pv, signal }: ReadableClaimRequest): Promise<string> {
  const { client, provisioner } = access;
  const names: string[] = [];
  for await (const found of client.list(core.storageClasses, { signal }))
    if (found.provisioner === provisioner) names.push(found.metadata.name);
  const source = pv?.spec?.storageClassName ?? '';
  const chosen = names.includes(source) ? source : names.toSorted()[0];
  if (chosen !== undefined) return chosen;
  throw new StorkError({
    code: 'StorageClassMissing',
    message: `no StorageClass has provisioner ${provisioner}`,
    about: `persistentvolume ${request.volume.volume}`,
    hint: `Create a StorageClass with provisioner: ${provisioner}; snapshots of it are read through a new volume.`,
  });
}

/** A class with reclaimPolicy Retain would leave our temporary volume on the storage for ever. */
async function letVolumeGo(client: KubeClient, claim: PersistentVolumeClaim, signal?: AbortSignal): Promise<void> {
  const name = claim.spec?.volumeName;
  if (name === undefined || name === '') return;
  const pv = await client.find(core.persistentVolumes, { name }, { signal });
  if (pv?.spec?.claimRef?.uid !== claim.metadata.uid || pv?.spec?.persistentVolumeReclaimPolicy === 'Delete') return;
  const body = { spec: { persistentVolumeReclaimPolicy: 'Delete' } };
  await client.patch(core.persistentVolumes, { name }, { type: 'merge', body }, { signal });
}

async function countVolumesOf(client: KubeClient, into: ReadableTarget, signal?: AbortSignal): Promise<number> {
  let count = 0;
  for await (const { spec } of client.list(core.persistentVolumes, { signal }))
    if (spec?.claimRef?.namespace === into.namespace && spec.claimRef.name === into.name) count += 1;
  return count;
}
