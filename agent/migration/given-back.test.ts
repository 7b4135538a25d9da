import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keptBecauseAnnotation, keptUntilAnnotation } from '../../crds/agent-names.ts';
import { clusterPairs, migrations } from '../../crds/v1alpha1/index.ts';
import { core, type VolumeSnapshot, type VolumeSnapshotContent } from '../../kube/client/core.ts';
import { decidePairGone } from './destination/pair-gone.ts';
import { receive } from './destination/receive.ts';
import { operationLabels, undoSnapshotKey } from './names.ts';
import { aDatabase, aPod, leftovers, synced, turnUntil } from './testing/an-application.ts';
import { revokePair } from './testing/connected-link.ts';
import type { TwoClusters } from './testing/two-clusters.ts';

const day = 86_400_000;

const firstRecord = async ({ b }: TwoClusters) => (await b.destination.records.listReceives())[0];

/** What the destination's agent does by itself, until it only waits. */
async function settleB({ b }: TwoClusters): Promise<void> {
  for (let turns = 0; turns < 20; turns++) {
    for (const { value } of await b.destination.records.listReceives()) await receive(b.destination, value.request.run);
    await b.world.settle();
  }
}

const undosOf = ({ b }: TwoClusters) =>
  [...b.world.storage.snapshots.values()].map(({ key }) => key).filter((key) => key.startsWith('stork-undo-'));

async function eventsOf({ b }: TwoClusters) {
  const { items } = await b.client.listPage(core.events, { namespace: 'db' });
  return items.filter(({ reason }) => reason === 'UndoSnapshotKept');
}

/** External-snapshotter's kind, with the object that the storage's driver would have made. */
function asVolumeSnapshot({ b }: TwoClusters, name: string, operation = 'any'): void {
  b.server.seed(core.volumeSnapshots, {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: { name, namespace: 'db', uid: `uid-${name}`, labels: operationLabels(operation) },
    spec: { source: { persistentVolumeClaimName: 'data' } },
  } satisfies VolumeSnapshot);
}

const retained = (
  name: string,
  source: VolumeSnapshotContent['spec']['source'],
  ref: VolumeSnapshotContent['spec']['volumeSnapshotRef'],
): VolumeSnapshotContent => ({
  apiVersion: 'snapshot.storage.k8s.io/v1',
  kind: 'VolumeSnapshotContent',
  metadata: { name },
  spec: { deletionPolicy: 'Retain', driver: 'd', source, volumeSnapshotRef: ref },
});

describe('what a destination gives back', () => {
  for (const by of ['Here', 'There'] as const)
    it(`is everything temporary, at once, when the pair is revoked (${by})`, async () => {
      const world = await synced();
      await world.migrate(world.a, 'second', {});
      const isMoving = () => [...world.b.world.jobs.running.values()].some(({ sight }) => sight.job === 'Running');
      await turnUntil(world, 'second', isMoving);
      world.link.ready = 'No';
      await revokePair(world.b, by);
      await settleB(world);
      assert.deepEqual(
        leftovers(world).filter((left) => left.startsWith('b:')),
        [],
      );
      assert.equal(world.b.world.contentOf('db', 'data'), 'one');
    });

  it('is nothing while the link is only down', async () => {
    const world = await synced();
    await world.migrate(world.a, 'second', {});
    await turnUntil(world, 'second', async () => (await firstRecord(world)) !== undefined);
    world.link.ready = 'No';
    await settleB(world);
    assert.equal((await firstRecord(world))?.value.phase, 'Working');
  });

  it('is no update that was allowed to change its volume: that is finished first', async () => {
    const world = await synced();
    await world.migrate(world.a, 'second', {});
    await turnUntil(world, 'second', async () => (await firstRecord(world)) !== undefined);
    const stored = await firstRecord(world);
    assert.ok(stored !== undefined);
    const applying = { ...stored.value, applyingSince: '2026-01-01T00:00:00Z' };
    await world.b.destination.records.saveReceive(applying, stored);
    await revokePair(world.b, 'Here');
    await settleB(world);
    assert.equal((await firstRecord(world))?.value.phase, 'Working');
  });

  const at = { pair: 'stork-system/pair', pairId: 'p', started: '2026-01-02T00:00:00Z' };
  const pair = (created: string, pairId?: string) => ({
    apiVersion: clusterPairs.apiVersion,
    kind: clusterPairs.kind,
    metadata: { name: 'pair', creationTimestamp: created },
    spec: {},
    ...(pairId === undefined ? {} : { status: { pairId } }),
  });
  for (const [what, found, verdict] of [
    ['the pair it came over', pair('2026-01-01T00:00:00Z', 'p'), 'There'],
    ['another pair of that name', pair('2026-01-03T00:00:00Z', 'q'), 'Gone'],
    ['one made since, not yet paired', pair('2026-01-03T00:00:00Z'), 'Gone'],
    ['one made before that says nothing yet', pair('2026-01-01T00:00:00Z'), 'There'],
    ['none', undefined, 'Gone'],
  ] as const)
    it(`judges by its ClusterPair: ${what}`, () => assert.equal(decidePairGone(found, at), verdict));
});

describe('what an overwrite replaced', () => {
  async function overwritten(): Promise<TwoClusters> {
    const world = await synced();
    aPod(world.b);
    await world.b.world.write('db', 'data', 'written on b');
    await world.migrate(world.a, 'second', { overwriteDestination: true });
    return world;
  }

  it('is announced once on the claim, with its end, and kept until then when the Migration is deleted', async () => {
    const world = await overwritten();
    const status = await world.finish(world.a, 'second');
    await world.a.client.delete(migrations, { namespace: 'db', name: 'second' });
    const [undo = ''] = undosOf(world);
    const [event, ...more] = await eventsOf(world);
    assert.equal(more.length, 0);
    assert.equal(event?.involvedObject?.kind, 'PersistentVolumeClaim');
    assert.match(event?.message ?? '', new RegExp(`kept in volumesnapshot db/${undo} until \\d{4}-`));
    assert.match(event?.message ?? '', /keep it for good: kubectl -n db label volumesnapshot/);
    assert.match(status.volumes?.[0]?.reason ?? '', /until \d{4}-/);
    await world.clock.advance(7 * day - 3_600_000);
    await settleB(world);
    assert.deepEqual(undosOf(world), [undo]);
    await world.clock.advance(2 * 3_600_000);
    await settleB(world);
    assert.deepEqual(undosOf(world), []);
    assert.deepEqual(await world.b.destination.records.listReceives(), []);
    assert.equal(world.b.world.contentOf('db', 'data'), 'two');
  });

  it('says on its VolumeSnapshot why it is there, and stays when its label is taken off', async () => {
    const world = await overwritten();
    await turnUntil(world, 'second', async () => (await firstRecord(world)) !== undefined);
    const undo = undoSnapshotKey((await firstRecord(world))?.value.request.run ?? '', 'data');
    asVolumeSnapshot(world, undo);
    await world.finish(world.a, 'second');
    const { metadata } = await world.b.client.get(core.volumeSnapshots, { namespace: 'db', name: undo });
    assert.match(metadata.annotations?.[keptUntilAnnotation] ?? '', /^\d{4}-/);
    assert.match(metadata.annotations?.[keptBecauseAnnotation] ?? '', /data was overwritten by migration/);
    const labels = { 'app.kubernetes.io/managed-by': null };
    const body = { metadata: { labels } };
    await world.b.client.patch(core.volumeSnapshots, { namespace: 'db', name: undo }, { type: 'merge', body });
    await world.clock.advance(8 * day);
    await settleB(world);
    assert.deepEqual(undosOf(world), [undo]);
  });

  for (const [what, then] of [
    ['deleted', async () => {}],
    ['made anew', async ({ b }: TwoClusters) => aDatabase(b, 'data', 'another')],
  ] as const)
    it(`is removed with what the storage keeps of it when the claim was ${what} meanwhile`, async () => {
      const world = await overwritten();
      const { client, server } = world.b;
      await turnUntil(world, 'second', async () => (await firstRecord(world)) !== undefined);
      const { run = '', operation = '' } = (await firstRecord(world))?.value.request ?? {};
      const undo = undoSnapshotKey(run, 'data');
      asVolumeSnapshot(world, undo, operation);
      const { metadata } = await client.get(core.volumeSnapshots, { namespace: 'db', name: undo });
      const ref = { namespace: 'db', name: undo, uid: metadata.uid };
      server.seed(core.volumeSnapshotContents, retained('ours', { volumeHandle: 'v' }, ref));
      server.seed(core.volumeSnapshotContents, retained('imported', { snapshotHandle: 's' }, ref));
      await world.finish(world.a, 'second');
      await client.delete(core.persistentVolumeClaims, { namespace: 'db', name: 'data' });
      await world.b.world.settle();
      await then(world);
      await world.clock.advance(8 * day);
      await settleB(world);
      assert.equal(await client.find(core.volumeSnapshots, { namespace: 'db', name: undo }), undefined);
      const { items } = await client.listPage(core.volumeSnapshotContents, {});
      assert.deepEqual(
        items.map((content) => [content.metadata.name, content.spec.deletionPolicy]),
        [['imported', 'Retain']],
      );
      assert.deepEqual(await world.b.destination.records.listReceives(), []);
    });

  it('is kept without an end, and said so, when the update broke and the pair is gone', async () => {
    const world = await overwritten();
    await turnUntil(world, 'second', async () => (await firstRecord(world))?.value.applyingSince !== undefined);
    await world.b.client.delete(core.persistentVolumeClaims, { namespace: 'db', name: 'data' });
    await revokePair(world.b, 'Here');
    await settleB(world);
    const [event] = await eventsOf(world);
    assert.equal(event?.type, 'Warning');
    assert.equal(event?.involvedObject?.uid, undefined);
    assert.match(event?.message ?? '', /When it is needed no more: kubectl -n db delete volumesnapshot stork-undo-/);
    await world.clock.advance(30 * day);
    await settleB(world);
    assert.equal(undosOf(world).length, 1);
    assert.deepEqual(await world.b.destination.records.listReceives(), []);
  });
});
