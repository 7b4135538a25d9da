/** snapshot-controller and csi-snapshotter over a simulated CSI driver: finalizers, contents, cut first and ready later. */
import type { KubeObject, Resource } from '../../../kube/client/client.ts';
import { core, type VolumeSnapshot, type VolumeSnapshotContent } from '../../../kube/client/core.ts';
import type { SimulatedCsi } from './simulated-csi.ts';

const snapshotFinalizer = 'snapshot.storage.kubernetes.io/volumesnapshot-bound-protection';
const contentFinalizer = 'snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection';

/** snapshot-controller: a content for each snapshot of a claim, and the content's news in the snapshot's status. */
export async function stepSnapshots(csi: SimulatedCsi): Promise<void> {
  for await (const snapshot of csi.client.list(core.volumeSnapshots)) {
    const name = snapshot.spec.source.volumeSnapshotContentName ?? `snapcontent-${snapshot.metadata.uid}`;
    const content = await csi.client.find(core.volumeSnapshotContents, { name });
    if (snapshot.metadata.deletionTimestamp !== undefined) await letSnapshotGo(csi, snapshot, content);
    else if (content === undefined) await makeContent(csi, snapshot, name);
    else await tellSnapshot(csi, snapshot, content);
  }
}

/** csi-snapshotter: the storage's snapshot for each content, and its end. */
export async function stepContents(csi: SimulatedCsi): Promise<void> {
  for await (const content of csi.client.list(core.volumeSnapshotContents)) {
    if (content.spec.driver !== csi.provisioner) continue;
    const handle = content.spec.source.snapshotHandle ?? content.status?.snapshotHandle;
    if (content.metadata.deletionTimestamp !== undefined) {
      if (content.spec.deletionPolicy === 'Delete' && handle !== undefined) csi.snapshots.delete(handle);
      await setFinalizers(csi, core.volumeSnapshotContents, content, null);
    } else if (content.status === undefined) {
      await cut(csi, content);
    } else if (content.status.readyToUse !== true) {
      await setStatus(csi, core.volumeSnapshotContents, content, { readyToUse: true });
    }
  }
}

async function letSnapshotGo(
  csi: SimulatedCsi,
  snapshot: VolumeSnapshot,
  content: VolumeSnapshotContent | undefined,
): Promise<void> {
  if (content !== undefined && content.spec.deletionPolicy === 'Delete') {
    if (content.metadata.deletionTimestamp === undefined)
      await csi.client.delete(core.volumeSnapshotContents, { name: content.metadata.name });
    return;
  }
  await setFinalizers(csi, core.volumeSnapshots, snapshot, null);
}

async function makeContent(csi: SimulatedCsi, snapshot: VolumeSnapshot, name: string): Promise<void> {
  const { namespace = '', uid } = snapshot.metadata;
  const claimName = snapshot.spec.source.persistentVolumeClaimName;
  if (claimName === undefined) return;
  await setFinalizers(csi, core.volumeSnapshots, snapshot, [snapshotFinalizer]);
  const claim = await csi.client.get(core.persistentVolumeClaims, { namespace, name: claimName });
  const pv = await csi.client.get(core.persistentVolumes, { name: claim.spec?.volumeName ?? '' });
  const className = snapshot.spec.volumeSnapshotClassName ?? '';
  const snapshotClass = await csi.client.get(core.volumeSnapshotClasses, { name: className });
  await csi.client.create(core.volumeSnapshotContents, {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshotContent',
    metadata: { name, finalizers: [contentFinalizer] },
    spec: {
      driver: csi.provisioner,
      deletionPolicy: snapshotClass.deletionPolicy,
      volumeSnapshotClassName: className,
      sourceVolumeMode: pv.spec?.volumeMode ?? 'Filesystem',
      source: { volumeHandle: pv.spec?.csi?.volumeHandle },
      volumeSnapshotRef: { namespace, name: snapshot.metadata.name, uid },
    },
  });
}

async function tellSnapshot(
  csi: SimulatedCsi,
  snapshot: VolumeSnapshot,
  content: VolumeSnapshotContent,
): Promise<void> {
  if ((snapshot.metadata.finalizers ?? []).length === 0)
    await setFinalizers(csi, core.volumeSnapshots, snapshot, [snapshotFinalizer]);
  if (content.status === undefined) return;
  const { readyToUse, creationTime = 0, restoreSize } = content.status;
  await setStatus(csi, core.volumeSnapshots, snapshot, {
    boundVolumeSnapshotContentName: content.metadata.name,
    readyToUse,
    creationTime: `${new Date(creationTime / 1e6).toISOString().slice(0, 19)}Z`,
    restoreSize: `${restoreSize}`,
  });
}

/** CreateSnapshot for a volume; a look at the handle for an imported one. Restore size: as if volumes were 1 GiB. */
async function cut(csi: SimulatedCsi, content: VolumeSnapshotContent): Promise<void> {
  const { volumeHandle, snapshotHandle } = content.spec.source;
  const restoreSize = 2 ** 30;
  if (snapshotHandle !== undefined) {
    const known = csi.snapshots.get(snapshotHandle);
    const status =
      known === undefined
        ? { error: { message: `no snapshot ${snapshotHandle}` } }
        : { snapshotHandle, creationTime: known.creationTime, readyToUse: true, restoreSize };
    return await setStatus(csi, core.volumeSnapshotContents, content, status);
  }
  const handle = `snap-${content.metadata.uid}`;
  const volume = csi.volumes.get(volumeHandle ?? '');
  if (volume === undefined || volumeHandle === undefined) return;
  const creationTime = csi.nextTime();
  csi.snapshots.set(handle, { volumeHandle, content: volume.content, creationTime });
  await setStatus(csi, core.volumeSnapshotContents, content, {
    snapshotHandle: handle,
    creationTime,
    readyToUse: false,
    restoreSize,
  });
}

async function setStatus<T extends KubeObject>(
  { client }: SimulatedCsi,
  resource: Resource<T>,
  { metadata }: T,
  status: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { namespace, name } = metadata;
  await client.patch(resource, { namespace, name }, { type: 'merge', body: { status } }, { subresource: 'status' });
}

async function setFinalizers<T extends KubeObject>(
  { client }: SimulatedCsi,
  resource: Resource<T>,
  { metadata }: T,
  finalizers: readonly string[] | null,
): Promise<void> {
  const { namespace, name } = metadata;
  await client.patch(resource, { namespace, name }, { type: 'merge', body: { metadata: { finalizers } } });
}
