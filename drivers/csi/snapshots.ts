/**
 * Snapshots through external-snapshotter (snapshot.storage.k8s.io/v1). The VolumeSnapshot lies beside its claim and is
 * named by the request's key. To be read elsewhere, its handle is imported: a pre-provisioned VolumeSnapshotContent with
 * deletionPolicy Retain (so that removing the import never removes the snapshot), a VolumeSnapshot and a claim from it.
 * Idempotent by key; what another made is neither used nor deleted.
 */
import type { KubeClient, ObjectKey } from '../../kube/client/client.ts';
import { core, type VolumeSnapshot, type VolumeSnapshotContent } from '../../kube/client/core.ts';
import { isNotFound, StorkError } from '../../kube/errors.ts';
import type { SnapshotRequest, SnapshotState, SnapshotsFacet } from '../driver.ts';
import { deleteOwned, ensureOwned, isOwnedBy, ownedBy, refuseForeign } from './ownership.ts';
import { ensureReadableClaim, releaseReadableClaim } from './readable-claim.ts';
import { chooseSnapshotClass } from './snapshot-class.ts';
import { contentNameOf, decideSnapshotState } from './snapshot-state.ts';
import { type CsiAccess, getSourceVolume } from './source-volume.ts';

export function snapshotsFacet(access: CsiAccess): SnapshotsFacet {
  const { client } = access;
  const observe = async (request: SnapshotRequest, signal?: AbortSignal): Promise<SnapshotState | undefined> => {
    const snapshot = await findSnapshot(client, request, signal);
    return snapshot === undefined ? undefined : (await stateOf(client, snapshot, signal)).state;
  };
  return {
    async ensure(request, signal) {
      const found = await observe(request, signal);
      if (found !== undefined) return found;
      await getSourceVolume(access, request.volume, signal);
      const className = await chooseSnapshotClass(client, access.provisioner, request.snapshotClass, signal);
      const wanted = planSnapshot(request, className);
      const snapshot = await ensureOwned(client, core.volumeSnapshots, wanted, { owner: request, signal });
      return (await stateOf(client, snapshot, signal)).state;
    },
    observe,
    async ensureReadable(request, into, signal) {
      const snapshot = await findSnapshot(client, request, signal);
      const known = snapshot === undefined ? undefined : await stateOf(client, snapshot, signal);
      if (snapshot === undefined || known?.content === undefined || known.state.phase !== 'Ready')
        throw notReady(request, known?.state.phase ?? 'missing');
      const pv = await findSnapshotVolume(access, request, signal);
      return await ensureReadableClaim({
        access,
        request,
        into,
        pv,
        content: known.content,
        state: known.state,
        signal,
      });
    },
    releaseReadable: (request, into, signal) => releaseReadableClaim(client, request, into, signal),
    release: (request, signal) => releaseSnapshot(client, request, signal),
  };
}

/** Where the snapshot of a request lies; its name is the key. */
function snapshotKey(request: SnapshotRequest): ObjectKey {
  return { namespace: request.volume.claim.namespace, name: request.key };
}

function planSnapshot(request: SnapshotRequest, className: string): VolumeSnapshot {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: {
      name: request.key,
      namespace: request.volume.claim.namespace,
      labels: request.labels,
      annotations: ownedBy(request),
    },
    spec: {
      volumeSnapshotClassName: className,
      source: { persistentVolumeClaimName: request.volume.claim.name },
    },
  };
}

async function findSnapshot(
  client: KubeClient,
  request: SnapshotRequest,
  signal?: AbortSignal,
): Promise<VolumeSnapshot | undefined> {
  const found = await client.find(core.volumeSnapshots, snapshotKey(request), { signal });
  return found === undefined ? undefined : refuseForeign(found, request);
}

async function stateOf(
  client: KubeClient,
  snapshot: VolumeSnapshot,
  signal?: AbortSignal,
): Promise<{ readonly state: SnapshotState; readonly content: VolumeSnapshotContent | undefined }> {
  const content = await client.find(core.volumeSnapshotContents, { name: contentNameOf(snapshot) }, { signal });
  return { state: decideSnapshotState(snapshot, content), content };
}

/** The source's PersistentVolume, for size, modes, class and place; it may be gone, the snapshot is read all the same. */
async function findSnapshotVolume({ client, provisioner }: CsiAccess, request: SnapshotRequest, signal?: AbortSignal) {
  const pv = await client.find(core.persistentVolumes, { name: request.volume.volume }, { signal });
  return pv?.spec?.csi?.driver === provisioner ? pv : undefined;
}

async function releaseSnapshot(
  client: KubeClient,
  request: SnapshotRequest,
  signal?: AbortSignal,
): Promise<'Gone' | 'Releasing'> {
  const snapshot = await client.find(core.volumeSnapshots, snapshotKey(request), { signal });
  if (snapshot !== undefined && isOwnedBy(snapshot, request)) {
    await letContentGo(client, contentNameOf(snapshot), signal);
    return await deleteOwned(client, core.volumeSnapshots, snapshotKey(request), { owner: request, signal });
  }
  const left = await findContents(client, request, signal);
  return left === 0 ? 'Gone' : 'Releasing';
}

/** A class with deletionPolicy Retain would leave our snapshot on the storage for ever. */
async function letContentGo(client: KubeClient, name: string, signal?: AbortSignal): Promise<void> {
  const content = await client.find(core.volumeSnapshotContents, { name }, { signal });
  if (content === undefined || content.spec.deletionPolicy === 'Delete') return;
  const body = { spec: { deletionPolicy: 'Delete' } };
  await client.patch(core.volumeSnapshotContents, { name }, { type: 'merge', body }, { signal });
}

/** Contents that still wait for the storage to delete this request's snapshot. */
async function findContents(client: KubeClient, request: SnapshotRequest, signal?: AbortSignal): Promise<number> {
  const { namespace, name } = snapshotKey(request);
  let count = 0;
  try {
    for await (const { spec, metadata } of client.list(core.volumeSnapshotContents, { signal })) {
      const ours = spec.volumeSnapshotRef.namespace === namespace && spec.volumeSnapshotRef.name === name;
      if (ours && metadata.deletionTimestamp !== undefined && spec.source.volumeHandle !== undefined) count += 1;
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return count;
}

function notReady(request: SnapshotRequest, phase: string): StorkError {
  return new StorkError({
    code: 'SnapshotNotReady',
    message: `snapshot ${request.key} can't be read yet: it is ${phase}`,
    about: `volumesnapshot ${request.volume.claim.namespace}/${request.key}`,
    retryable: phase !== 'missing' && phase !== 'Failed',
  });
}
