/**
 * What storage and the kubelet do for a cluster on the fake API server: binds claims, frees and deletes volumes, runs
 * mover jobs in pairs. One call of `settle()` lets everything that is due happen once.
 */
import type { MemoryStorage } from '../../../drivers/memory/memory-storage.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolume, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import type { FakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import type { MoverJobs, MoverPlace, MoverRequest, MoverSight } from '../mover-jobs.ts';

export interface StorageWorld {
  readonly storage: MemoryStorage;
  readonly jobs: FakeMoverJobs;
  settle(): Promise<void>;
  /** The PersistentVolume that a claim is bound to. */
  volumeOf(namespace: string, name: string): string | undefined;
  /** What a claim's volume holds. */
  contentOf(namespace: string, name: string): string | undefined;
  write(namespace: string, name: string, content: string): Promise<void>;
}

export interface FakeMoverJobs extends MoverJobs {
  readonly running: Map<string, FakeJob>;
  /** Volumes that movers never finish with. */
  readonly stuck: Set<string>;
  /** What destination movers may not set, by volume and kind. */
  readonly degraded: Map<string, Readonly<Record<string, number>>>;
}

export interface FakeJob {
  readonly request: MoverRequest;
  sight: MoverSight;
}

const jobKey = (place: MoverPlace) => `${place.namespace}/${place.role}/${place.run}`;

function fakeMoverJobs(): FakeMoverJobs {
  const running = new Map<string, FakeJob>();
  return {
    running,
    stuck: new Set(),
    degraded: new Map(),
    async start(request) {
      const sight: MoverSight = {
        job: 'Running',
        result: undefined,
        failure: undefined,
        redoes: request.existing === 'Redo' ? 'Yes' : 'No',
      };
      if (!running.has(jobKey(request))) running.set(jobKey(request), { request, sight });
    },
    look: async (place) =>
      running.get(jobKey(place))?.sight ?? { job: 'Missing', result: undefined, failure: undefined, redoes: 'No' },
    async remove(place) {
      running.delete(jobKey(place));
      return 'Gone';
    },
  };
}

export function storageWorld(server: FakeApiServer, storage: MemoryStorage): StorageWorld {
  const client = server.client();
  const jobs = fakeMoverJobs();
  const volumeOf = (namespace: string, name: string): string | undefined => {
    const claim = server
      .objects()
      .find(
        (object) =>
          object.kind === 'PersistentVolumeClaim' &&
          object.metadata.namespace === namespace &&
          object.metadata.name === name,
      );
    const spec = claim?.spec;
    return typeof spec === 'object' && spec !== null && 'volumeName' in spec ? String(spec.volumeName) : undefined;
  };
  return {
    storage,
    jobs,
    volumeOf,
    async settle() {
      storage.settle();
      for await (const claim of client.list(core.persistentVolumeClaims)) await bindClaim(client, storage, claim);
      for await (const volume of client.list(core.persistentVolumes)) await freeVolume(client, storage, volume);
    },
    contentOf(namespace, name) {
      const read = storage.claims.get(`${namespace}/${name}`);
      if (read !== undefined) return read.content;
      const volume = volumeOf(namespace, name);
      return volume === undefined ? undefined : storage.volumes.get(volume)?.content;
    },
    async write(namespace, name, content) {
      const volume = volumeOf(namespace, name) ?? '';
      const found = storage.volumes.get(volume);
      if (found === undefined) throw new Error(`no volume behind ${namespace}/${name}`);
      storage.volumes.set(volume, { ...found, content });
    },
  };
}

async function bindClaim(client: KubeClient, storage: MemoryStorage, claim: PersistentVolumeClaim): Promise<void> {
  if (claim.status?.phase === 'Bound' || claim.metadata.deletionTimestamp !== undefined) return;
  const namespace = claim.metadata.namespace ?? '';
  const key = { namespace, name: claim.metadata.name };
  const uid = claim.metadata.uid ?? '';
  const ref = { claim: { ...key, uid }, volume: claim.spec?.volumeName ?? `pvc-${uid}` };
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...key, uid };
  const storageText = claim.spec?.resources?.requests?.storage ?? '1Gi';
  const existing = await client.find(core.persistentVolumes, { name: ref.volume });
  if (existing === undefined) {
    storage.volumes.set(ref.volume, { ref, sizeBytes: 1n << 30n, content: '', replicas: [] });
    const storageClass = claim.spec?.storageClassName ?? 'fast';
    await client.create(core.persistentVolumes, aVolume(ref.volume, { claimRef, storageClass }, storageText));
    await client.patch(
      core.persistentVolumes,
      { name: ref.volume },
      { type: 'merge', body: { status: { phase: 'Bound' } } },
      { subresource: 'status' },
    );
  } else {
    if (existing.spec?.claimRef?.namespace !== namespace || existing.spec.claimRef.name !== key.name) return;
    await client.patch(core.persistentVolumes, { name: ref.volume }, { type: 'merge', body: { spec: { claimRef } } });
    await client.patch(
      core.persistentVolumes,
      { name: ref.volume },
      { type: 'merge', body: { status: { phase: 'Bound' } } },
      { subresource: 'status' },
    );
    const volume = storage.volumes.get(ref.volume);
    if (volume !== undefined) storage.volumes.set(ref.volume, { ...volume, ref });
  }
  await client.patch(core.persistentVolumeClaims, key, { type: 'merge', body: { spec: { volumeName: ref.volume } } });
  const status = { phase: 'Bound', capacity: { storage: storageText } };
  await client.patch(core.persistentVolumeClaims, key, { type: 'merge', body: { status } }, { subresource: 'status' });
}

function aVolume(
  name: string,
  { claimRef, storageClass }: { readonly claimRef: object; readonly storageClass: string },
  storage: string,
): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: storageClass,
      claimRef,
    },
  };
}

/** A volume whose claim is gone is Released, and deleted when its policy says so: what must never hit a filled volume. */
async function freeVolume(client: KubeClient, storage: MemoryStorage, volume: PersistentVolume): Promise<void> {
  const { claimRef } = volume.spec ?? {};
  if (claimRef?.name === undefined || claimRef.uid === undefined) return;
  const claim = await client.find(core.persistentVolumeClaims, { namespace: claimRef.namespace, name: claimRef.name });
  if (claim?.metadata.uid === claimRef.uid) return;
  if (volume.status?.phase !== 'Released')
    await client.patch(
      core.persistentVolumes,
      { name: volume.metadata.name },
      { type: 'merge', body: { status: { phase: 'Released' } } },
      { subresource: 'status' },
    );
  if (volume.spec?.persistentVolumeReclaimPolicy !== 'Delete') return;
  storage.volumes.delete(volume.metadata.name);
  await client.delete(core.persistentVolumes, { name: volume.metadata.name });
}
