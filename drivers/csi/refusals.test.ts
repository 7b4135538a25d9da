import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { assertRefused } from '../conformance/driver-conformance.ts';
import { eventually } from '../conformance/driver-world.ts';
import type { Driver } from '../driver.ts';
import { fakeCsiWorld } from './testing/fake-csi-world.ts';

const labels = { suite: 'refusals' };

async function aReadySnapshot() {
  const world = fakeCsiWorld({ policy: 'Delete' });
  const { driver } = world.start();
  const volume = await world.makeVolume('content');
  const request = { key: 'snap', volume, labels };
  const snapshots = facetOf(driver);
  await eventually(
    world,
    () => snapshots.ensure(request),
    (state) => state.phase === 'Ready',
  );
  return { world, driver, volume, request, snapshots, client: world.server.client() };
}

function facetOf(driver: Driver) {
  assert.ok(driver.snapshots);
  return driver.snapshots;
}

describe('csi driver', () => {
  it('never takes over or deletes a claim that it did not make', async () => {
    const { snapshots, request, client } = await aReadySnapshot();
    const into = { namespace: 'kube-system', name: 'precious' };
    await client.create(core.persistentVolumeClaims, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: into,
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    await assertRefused(snapshots.ensureReadable(request, into), 'NameTaken');
    await snapshots.releaseReadable(request, into);
    assert.notEqual(await client.find(core.persistentVolumeClaims, into), undefined);
  });

  it('never takes over or deletes a snapshot that it did not make', async () => {
    const { snapshots, request, client, volume } = await aReadySnapshot();
    const key = { namespace: volume.claim.namespace, name: 'users' };
    await client.create(core.volumeSnapshots, {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshot',
      metadata: key,
      spec: { source: { persistentVolumeClaimName: volume.claim.name } },
    });
    const clash = { ...request, key: 'users' };
    await assertRefused(snapshots.ensure(clash), 'NameTaken');
    assert.equal(await snapshots.release(clash), 'Gone');
    assert.notEqual(await client.find(core.volumeSnapshots, key), undefined);
  });

  it('puts the caller’s labels on everything it makes for reading, and imports with Retain', async () => {
    const { world, snapshots, request } = await aReadySnapshot();
    await snapshots.ensureReadable(request, { namespace: 'kube-system', name: 'reading' });
    const made = world.server.objects().filter((object) => object.metadata.labels?.suite === 'refusals');
    const kinds = made.map((object) => `${object.kind} ${object.metadata.namespace ?? ''}`).toSorted();
    assert.deepEqual(kinds, [
      'PersistentVolumeClaim kube-system',
      'VolumeSnapshot default',
      'VolumeSnapshot kube-system',
      'VolumeSnapshotContent ',
    ]);
    const content = made.find((object) => object.kind === 'VolumeSnapshotContent');
    assert.deepEqual(Object(content).spec.deletionPolicy, 'Retain');
  });

  it('reads through another class of the driver when the source’s is gone, and says when there is none', async () => {
    const { snapshots, request, client, world } = await aReadySnapshot();
    const provisioner = (await client.get(core.storageClasses, { name: 'sim' })).provisioner;
    await client.delete(core.storageClasses, { name: 'sim' });
    const into = { namespace: 'kube-system', name: 'reading' };
    await assertRefused(snapshots.ensureReadable(request, into), 'StorageClassMissing');
    world.server.seed(core.storageClasses, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'other' },
      provisioner,
    });
    await snapshots.ensureReadable(request, into);
    assert.equal((await client.get(core.persistentVolumeClaims, into)).spec?.storageClassName, 'other');
  });

  it('clones only inside a namespace', async () => {
    const { driver, volume } = await aReadySnapshot();
    assert.ok(driver.clone);
    await assertRefused(driver.clone.ensure(volume, { namespace: 'elsewhere', name: 'c' }), 'CloneAcrossNamespaces');
  });

  it('resizes only where the class allows it', async () => {
    const { driver, volume, client } = await aReadySnapshot();
    const body = { allowVolumeExpansion: false };
    await client.patch(core.storageClasses, { name: 'sim' }, { type: 'merge', body });
    assert.ok(driver.resize);
    await assertRefused(driver.resize.ensure(volume, 2n ** 40n), 'ExpansionNotAllowed');
  });

  it('keeps a snapshot readable after its claim and volume were deleted', async () => {
    const { world, snapshots, request, client, volume } = await aReadySnapshot();
    await client.delete(core.persistentVolumeClaims, volume.claim);
    await world.settle();
    assert.equal(await client.find(core.persistentVolumes, { name: volume.volume }), undefined);
    const into = { namespace: 'kube-system', name: 'reading' };
    await snapshots.ensureReadable(request, into);
    assert.equal(await world.read(into), 'content');
  });
});
