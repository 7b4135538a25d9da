/**
 * A CSI driver with its sidecars and the snapshot-controller, simulated over a (fake) API server: what external-provisioner,
 * external-resizer and external-snapshotter do to objects, as far as our driver can see it. Volumes and snapshots are texts
 * in memory. Nothing happens by itself: each `step()` is one round of all controllers.
 */
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { parseBytes } from '../../../kube/quantity.ts';
import { stepContents, stepSnapshots } from './simulated-snapshotter.ts';

export interface SimulatedVolume {
  readonly content: string;
}

export interface SimulatedSnapshot {
  readonly volumeHandle: string;
  readonly content: string;
  /** Nanoseconds since 1970. */
  readonly creationTime: number;
}

export interface SimulatedCsi {
  readonly client: KubeClient;
  readonly provisioner: string;
  /** By volume handle. */
  readonly volumes: Map<string, SimulatedVolume>;
  /** By snapshot handle. */
  readonly snapshots: Map<string, SimulatedSnapshot>;
  /** Strictly rising, so that no two cuts share a time. */
  nextTime(): number;
  step(): Promise<void>;
}

export function simulatedCsi(options: { readonly client: KubeClient; readonly provisioner: string }): SimulatedCsi {
  let seconds = 0;
  const csi: SimulatedCsi = {
    ...options,
    volumes: new Map(),
    snapshots: new Map(),
    nextTime: () => (Date.UTC(2026, 0, 1) / 1000 + ++seconds) * 1e9,
    async step() {
      await stepSnapshots(csi);
      await stepContents(csi);
      await provision(csi);
      await resize(csi);
      await reclaim(csi);
    },
  };
  return csi;
}

/** external-provisioner: a volume for each claim of our classes, with its source's content. */
async function provision(csi: SimulatedCsi): Promise<void> {
  const { client, provisioner, volumes } = csi;
  for await (const claim of client.list(core.persistentVolumeClaims)) {
    if (claim.spec?.volumeName !== undefined) continue;
    const storageClass = await client.find(core.storageClasses, { name: claim.spec?.storageClassName ?? '' });
    if (storageClass?.provisioner !== provisioner) continue;
    const content = await findSourceContent(csi, claim);
    if (content === undefined) continue;
    const { namespace = '', name, uid = '' } = claim.metadata;
    const handle = `vol-${uid}`;
    volumes.set(handle, { content });
    const size = claim.spec?.resources?.requests?.storage ?? '0';
    await client.create(core.persistentVolumes, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `pvc-${uid}` },
      spec: {
        accessModes: claim.spec?.accessModes ?? [],
        capacity: { storage: size },
        volumeMode: claim.spec?.volumeMode ?? 'Filesystem',
        storageClassName: storageClass.metadata.name,
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        claimRef: { kind: 'PersistentVolumeClaim', namespace, name, uid },
        csi: { driver: provisioner, volumeHandle: handle },
      },
    });
    const key = { namespace, name };
    const spec = { volumeName: `pvc-${uid}` };
    await client.patch(core.persistentVolumeClaims, key, { type: 'merge', body: { spec } });
    const status = { phase: 'Bound', capacity: { storage: size } };
    await client.patch(
      core.persistentVolumeClaims,
      key,
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
  }
}

/** `undefined` while the source is not ready. */
async function findSourceContent(csi: SimulatedCsi, claim: PersistentVolumeClaim): Promise<string | undefined> {
  const source = claim.spec?.dataSource;
  const { namespace = '' } = claim.metadata;
  if (source === undefined) return '';
  if (source.kind === 'PersistentVolumeClaim') {
    const from = await csi.client.find(core.persistentVolumeClaims, { namespace, name: source.name });
    const pv = await csi.client.find(core.persistentVolumes, { name: from?.spec?.volumeName ?? '-' });
    return csi.volumes.get(pv?.spec?.csi?.volumeHandle ?? '')?.content;
  }
  const snapshot = await csi.client.find(core.volumeSnapshots, { namespace, name: source.name });
  if (snapshot?.status?.readyToUse !== true) return undefined;
  const name = snapshot.status.boundVolumeSnapshotContentName ?? '-';
  const content = await csi.client.find(core.volumeSnapshotContents, { name });
  return csi.snapshots.get(content?.status?.snapshotHandle ?? '')?.content;
}

/** external-resizer. */
async function resize({ client }: SimulatedCsi): Promise<void> {
  for await (const claim of client.list(core.persistentVolumeClaims)) {
    const asked = claim.spec?.resources?.requests?.storage ?? '0';
    const have = claim.status?.capacity?.storage ?? '0';
    if (claim.status?.phase !== 'Bound' || parseBytes(asked) <= parseBytes(have)) continue;
    const { namespace, name } = claim.metadata;
    const capacity = { storage: asked };
    const pv = { name: claim.spec?.volumeName ?? '' };
    await client.patch(core.persistentVolumes, pv, { type: 'merge', body: { spec: { capacity } } });
    await client.patch(
      core.persistentVolumeClaims,
      { namespace, name },
      { type: 'merge', body: { status: { capacity } } },
      { subresource: 'status' },
    );
  }
}

/** The PersistentVolume controller: a volume whose claim is gone goes too, if its policy says so. */
async function reclaim({ client, volumes, provisioner }: SimulatedCsi): Promise<void> {
  for await (const pv of client.list(core.persistentVolumes)) {
    const claimRef = pv.spec?.claimRef;
    if (pv.spec?.csi?.driver !== provisioner || claimRef?.name === undefined) continue;
    const key = { namespace: claimRef.namespace, name: claimRef.name };
    const claim = await client.find(core.persistentVolumeClaims, key);
    if (claim?.metadata.uid === claimRef.uid || pv.spec.persistentVolumeReclaimPolicy !== 'Delete') continue;
    volumes.delete(pv.spec.csi.volumeHandle);
    await client.delete(core.persistentVolumes, { name: pv.metadata.name });
  }
}
