/** The csi driver's world on the fake API server, with a simulated CSI driver behind it. */
import type { ObjectKey } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { manualClock } from '../../../kube/clock.ts';
import { type FakeApiServer, fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { faulty } from '../../../kube/fake/faulty.ts';
import type { DriverWorld } from '../../conformance/driver-world.ts';
import type { VolumeRef } from '../../driver.ts';
import { csiDriver } from '../csi-driver.ts';
import { simulatedCsi } from './simulated-csi.ts';

export const fakeProvisioner = 'sim.csi.stork.test';

export interface FakeCsiWorldOptions {
  /** reclaimPolicy and deletionPolicy of the classes. */
  readonly policy: 'Delete' | 'Retain';
}

export interface FakeCsiWorld extends DriverWorld {
  readonly server: FakeApiServer;
}

export function fakeCsiWorld({ policy }: FakeCsiWorldOptions): FakeCsiWorld {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  const client = server.client();
  seedClasses(server, policy);
  const csi = simulatedCsi({ client, provisioner: fakeProvisioner });
  let made = 0;
  const seedVolume = (sizeBytes: bigint): VolumeRef => {
    made += 1;
    const uid = `10000000-0000-4000-8000-${String(made).padStart(12, '0')}`;
    const ref = { claim: { namespace: 'default', name: `claim-${made}`, uid }, volume: `pv-${made}` };
    seedBoundClaim(server, ref, sizeBytes);
    return ref;
  };
  const handleOf = async (claim: ObjectKey) => {
    const { spec } = await client.get(core.persistentVolumeClaims, claim);
    const pv = await client.find(core.persistentVolumes, { name: spec?.volumeName ?? '-' });
    return pv?.spec?.csi?.volumeHandle ?? 'unbound';
  };
  return {
    server,
    readNamespace: 'kube-system',
    start() {
      const own = faulty(server.client());
      return {
        driver: csiDriver({ client: own, clock, provisioner: fakeProvisioner }),
        dieAtMutation: (number, moment) => own.dieAtWrite(number, moment),
        loseNextReply: () => own.loseNextReply('create'),
        hasDied: () =>
          own.version().then(
            () => 'No' as const,
            () => 'Yes' as const,
          ),
      };
    },
    async makeVolume(content) {
      const ref = seedVolume(2n ** 30n);
      csi.volumes.set(ref.volume, { content });
      return ref;
    },
    makeHugeVolume: async (sizeBytes) => seedVolume(sizeBytes),
    makeManyVolumes: async (count) => Array.from({ length: count }, () => seedVolume(2n ** 30n)),
    write: async (ref, content) => void csi.volumes.set(await handleOf(ref.claim), { content }),
    async read(claim) {
      for (let round = 0; round < 5; round += 1) await csi.step();
      return csi.volumes.get(await handleOf(claim))?.content ?? 'no such volume';
    },
    settle: () => csi.step(),
    persistentVolume: async (ref) => ({ ...(await client.get(core.persistentVolumes, { name: ref.volume })) }),
    countSnapshots: async ({ volume }) =>
      [...csi.snapshots.values()].filter((snapshot) => snapshot.volumeHandle === volume.volume).length,
    [Symbol.asyncDispose]: async () => {},
  };
}

function seedClasses(server: FakeApiServer, policy: 'Delete' | 'Retain'): void {
  server.seed(core.storageClasses, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'sim' },
    provisioner: fakeProvisioner,
    reclaimPolicy: policy,
    allowVolumeExpansion: true,
  });
  server.seed(core.volumeSnapshotClasses, {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshotClass',
    metadata: { name: 'sim' },
    driver: fakeProvisioner,
    deletionPolicy: policy,
  });
  for (const name of ['n1', 'n2']) {
    server.seed(core.nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': `z-${name}` } },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    server.seed(core.csiNodes, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSINode',
      metadata: { name },
      spec: { drivers: name === 'n1' ? [{ name: fakeProvisioner, nodeID: name }] : [] },
    });
  }
}

/** Names the volume's handle after its PersistentVolume. */
function seedBoundClaim(server: FakeApiServer, ref: VolumeRef, sizeBytes: bigint): void {
  const { namespace, name, uid } = ref.claim;
  const capacity = { storage: `${sizeBytes}` };
  server.seed(core.persistentVolumeClaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { namespace, name, uid },
    spec: {
      accessModes: ['ReadWriteOnce'],
      volumeName: ref.volume,
      storageClassName: 'sim',
      resources: { requests: capacity },
    },
    status: { phase: 'Bound', capacity },
  });
  server.seed(core.persistentVolumes, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: ref.volume },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity,
      volumeMode: 'Filesystem',
      storageClassName: 'sim',
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { kind: 'PersistentVolumeClaim', namespace, name, uid },
      csi: { driver: fakeProvisioner, volumeHandle: ref.volume },
    },
  });
}
