import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../crds/schema/index.ts';
import { migrations } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { silentLog } from '../../kube/log.ts';
import { runMachine } from '../../kube/runtime/run-machine.ts';
import { handOverLabel } from './destination/hand-over.ts';
import { incomingClaimName } from './names.ts';
import { migrationMachine } from './source/migration-machine.ts';
import { aDatabase, anApplication, aPod, leftovers, synced, turnUntil } from './testing/an-application.ts';
import { testPair } from './testing/connected-link.ts';
import { digestOf, type TwoClusters, unfinishedContent } from './testing/two-clusters.ts';

const claim = { namespace: 'db', name: 'data' };

describe('a migration that meets trouble', () => {
  for (const [what, narrowed, message] of [
    ['namespaces', { namespaces: ['web'] }, /does not cover namespace db/],
    ['directions', { directions: ['Receive'] as const }, /no direction Send/],
  ] as const)
    it(`fails by name, before it sends more, when the grant of its own side loses ${what} meanwhile`, async () => {
      const world = await anApplication();
      await world.migrate(world.a, 'm', {});
      for (let turns = 0; turns < 4; turns++) await world.turn(world.a, 'm');
      world.link.grant = { ...testPair.grant, ...narrowed };
      const status = await world.finish(world.a, 'm');
      assert.equal(status.status, 'Failed');
      assert.match(status.reason ?? '', message);
    });

  it('is no success when no namespace has the label it selects by', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', { namespaces: [], namespaceSelectors: { team: 'nobody' } });
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /No namespace has a label/);
    assert.match(status.activeSide ?? '', /nothing was started/);
  });

  it('cleans up when the volume itself vanishes from the source, and says so', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', {});
    await turnUntil(world, 'first', async () => (await world.b.destination.records.listReceives()).length > 0);
    const { spec } = await world.a.client.get(core.persistentVolumeClaims, claim);
    for (const job of world.a.world.jobs.running.values())
      job.sight = { job: 'Exhausted', result: undefined, failure: 'gone', redoes: 'No' };
    await world.a.client.delete(core.persistentVolumeClaims, claim);
    await world.turn(world.a, 'first');
    assert.equal(await world.a.client.find(core.persistentVolumes, { name: spec?.volumeName ?? '' }), undefined);
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Failed');
    const rest = leftovers(world).filter((left) => !left.includes('snapshot'));
    assert.deepEqual(rest, []);
  });

  it('fails by name when a claim of the source vanishes, and says nothing was started', async () => {
    const world = await anApplication();
    await aDatabase(world.a, 'logs', 'lines');
    await world.migrate(world.a, 'first', {});
    await world.turn(world.a, 'first');
    await world.a.client.delete(core.persistentVolumeClaims, { namespace: 'db', name: 'logs' });
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /db\/logs was deleted/);
    assert.match(status.activeSide ?? '', /a \(source\) runs as before; nothing was started/);
    assert.deepEqual(leftovers(world), []);
  });

  it('hands over again when somebody deletes the new claim before it was told of', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', {});
    await turnUntil(
      world,
      'first',
      async () => (await world.b.client.find(core.persistentVolumeClaims, claim)) !== undefined,
    );
    const before = await world.b.client.get(core.persistentVolumeClaims, claim);
    await world.b.client.delete(core.persistentVolumeClaims, claim);
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    const after = await world.b.client.get(core.persistentVolumeClaims, claim);
    assert.notEqual(after.metadata.uid, before.metadata.uid);
    assert.equal(after.spec?.volumeName, before.spec?.volumeName);
    assert.equal(world.b.world.contentOf('db', 'data'), 'one');
    assert.deepEqual(leftovers(world), []);
  });

  /** An update that was allowed and whose mover died before it was done. */
  async function interrupted(): Promise<TwoClusters> {
    const world = await synced();
    await world.migrate(world.a, 'second', {});
    const job = () => [...world.b.world.jobs.running.values()].find(({ request }) => request.role === 'destination');
    await turnUntil(world, 'second', () => {
      const found = job();
      // Not yet met by its source: this mover dies as soon as it may write.
      if (found !== undefined) found.sight = { job: 'Exhausted', result: undefined, failure: 'Evicted', redoes: 'No' };
      return found !== undefined;
    });
    const [receiving] = await world.b.destination.records.listReceives();
    assert.ok(receiving !== undefined);
    await world.b.destination.records.saveReceive(
      { ...receiving.value, applyingSince: '2026-01-01T00:00:00Z' },
      receiving,
    );
    return world;
  }

  it('finishes an update whose mover gave up half way, even over what it left', async () => {
    const world = await interrupted();
    await world.b.world.write('db', 'data', unfinishedContent);
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(world.b.world.contentOf('db', 'data'), 'two');
    assert.equal(status.volumes?.[0]?.digest, digestOf('two'));
    assert.deepEqual(leftovers(world), []);
  });

  it('does not write over what a pod wrote while an update was interrupted', async () => {
    const world = await interrupted();
    await world.b.world.write('db', 'data', 'an order that came in');
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /an update of it was interrupted, the snapshot taken before it is kept/);
    assert.equal(world.b.world.contentOf('db', 'data'), 'an order that came in');
  });

  it('fails by name when the claim it updates is deleted on the destination', async () => {
    const world = await synced();
    await world.migrate(world.a, 'second', {});
    await turnUntil(world, 'second', async () => (await world.b.destination.records.listReceives()).length > 0);
    await world.b.client.delete(core.persistentVolumeClaims, claim);
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /data was deleted on the destination while it was updated/);
    // The reference driver's snapshots are no objects, which would be found by name.
    const rest = leftovers(world).filter((left) => !left.includes('snapshot'));
    assert.deepEqual(rest, []);
  });

  it('names the snapshot it keeps when the claim it overwrites is deleted half way', async () => {
    const world = await synced();
    await world.migrate(world.a, 'second', { overwriteDestination: true });
    await turnUntil(world, 'second', async () => {
      const [receiving] = await world.b.destination.records.listReceives();
      if (receiving === undefined) return false;
      const applying = { ...receiving.value, applyingSince: '2026-01-01T00:00:00Z' };
      await world.b.destination.records.saveReceive(applying, receiving);
      return true;
    });
    await world.b.client.delete(core.persistentVolumeClaims, claim);
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /what data held before is kept in volumesnapshot db\/stork-undo-/);
  });

  for (const end of ['deleted', 'finished'] as const)
    it(`leaves the policy of a StorageClass that retains to users' volumes alone (${end})`, async () => {
      const world = await anApplication();
      await world.migrate(world.a, 'first', {});
      const newest = async () => (await world.b.client.listPage(core.persistentVolumes)).items[0];
      await turnUntil(world, 'first', async () => (await newest()) !== undefined);
      const name = (await newest())?.metadata.name ?? '';
      const metadata = { annotations: { 'pv.kubernetes.io/provisioned-by': 'memory.stork.test' } };
      const body = { metadata, spec: { persistentVolumeReclaimPolicy: 'Retain' } };
      await world.b.client.patch(core.persistentVolumes, { name }, { type: 'merge', body });
      if (end === 'deleted') await world.a.client.delete(migrations, { namespace: 'db', name: 'first' });
      for (let turns = 0; turns < 20; turns++) await world.turn(world.a, 'first');
      assert.deepEqual(leftovers(world), []);
      const volume = await world.b.client.find(core.persistentVolumes, { name });
      assert.equal(volume?.spec?.persistentVolumeReclaimPolicy, end === 'deleted' ? undefined : 'Retain');
    });

  it('touches neither of two volumes that carry its mark', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', {});
    const marked = async () =>
      (await world.b.client.listPage(core.persistentVolumes)).items.find(
        ({ metadata }) => metadata.labels?.[handOverLabel] !== undefined,
      );
    await turnUntil(world, 'first', async () => (await marked()) !== undefined);
    const labels = { ...(await marked())?.metadata.labels };
    world.b.server.seed(core.persistentVolumes, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'foreign', labels },
      spec: { persistentVolumeReclaimPolicy: 'Retain', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
    });
    for (let turns = 0; turns < 5; turns++) await world.turn(world.a, 'first');
    const foreign = await world.b.client.get(core.persistentVolumes, { name: 'foreign' });
    assert.deepEqual([foreign.spec?.claimRef, foreign.metadata.labels], [undefined, labels]);
    await world.b.client.delete(core.persistentVolumes, { name: 'foreign' });
    assert.equal((await world.finish(world.a, 'first')).status, 'Successful');
  });

  it('gives up its own volume only, when it is deleted while another carries its mark', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', {});
    const find = async () => (await world.b.destination.records.listReceives())[0];
    await turnUntil(world, 'first', async () => (await find()) !== undefined);
    const run = (await find())?.value.request.run ?? '';
    const labels = { [handOverLabel]: incomingClaimName(run, 'db', 'data') };
    world.b.server.seed(core.persistentVolumes, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'foreign', labels },
      spec: { persistentVolumeReclaimPolicy: 'Retain', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
    });
    await world.a.client.delete(migrations, { namespace: 'db', name: 'first' });
    for (let turns = 0; turns < 20; turns++) await world.turn(world.a, 'first');
    const { items } = await world.b.client.listPage(core.persistentVolumes);
    assert.deepEqual(
      items.map(({ metadata, spec }) => [metadata.name, spec?.persistentVolumeReclaimPolicy, spec?.claimRef]),
      [['foreign', 'Retain', undefined]],
    );
  });

  it('can be deleted though its destination never answers again', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', {});
    await turnUntil(world, 'first', async () => (await world.b.destination.records.listReceives()).length > 0);
    world.link.ready = 'No';
    await world.a.client.delete(migrations, { namespace: 'db', name: 'first' });
    for (let turns = 0; turns < 8; turns++) {
      await world.turn(world.a, 'first');
      await world.clock.advance(120_000);
    }
    assert.equal(await world.a.client.find(migrations, { namespace: 'db', name: 'first' }), undefined);
    for (let turns = 0; turns < 4; turns++) {
      await world.clock.advance(20 * 3_600_000);
      await world.turn(world.a, 'first');
    }
    assert.deepEqual(leftovers(world), []);
  });

  it('is no full success while a claim has no volume, and names it', async () => {
    const world = await anApplication();
    const { spec } = await world.a.client.get(core.persistentVolumeClaims, claim);
    world.a.server.seed(core.persistentVolumeClaims, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'stuck', namespace: 'db' },
      spec: { accessModes: ['ReadWriteOnce'], volumeName: spec?.volumeName },
      status: { phase: 'Lost' },
    });
    await world.migrate(world.a, 'first', {});
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'PartialSuccess');
    assert.match(status.reason ?? '', /PersistentVolumeClaim db\/stuck: it has no volume here \(it is Lost\)/);
    assert.equal(world.b.world.contentOf('db', 'data'), 'one');
  });

  it('says where what it overwrote is kept', async () => {
    const world = await synced();
    aPod(world.b);
    await world.b.world.write('db', 'data', 'written on b');
    await world.migrate(world.a, 'second', { overwriteDestination: true });
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.match(status.volumes?.[0]?.reason ?? '', /what data held before is kept in volumesnapshot db\/stork-undo-/);
  });

  it('moves more groups than go at a time', async () => {
    const world = await anApplication();
    for (let index = 0; index < 9; index++) await aDatabase(world.a, `more-${index}`, `content ${index}`);
    await world.migrate(world.a, 'first', {});
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(status.summary?.volumes, '10/10');
    assert.equal(world.b.world.contentOf('db', 'more-8'), 'content 8');
    assert.deepEqual(leftovers(world), []);
  });

  it('moves a new claim and one that is there already, though one pod mounts both', async () => {
    const world = await synced();
    await aDatabase(world.a, 'logs', 'lines');
    world.a.server.seed(core.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'db-0', namespace: 'db' },
      spec: {
        containers: [{ name: 'db' }],
        volumes: ['data', 'logs'].map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
      },
      status: { phase: 'Running' },
    });
    await world.migrate(world.a, 'second', {});
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.deepEqual(
      ['data', 'logs'].map((name) => world.b.world.contentOf('db', name)),
      ['two', 'lines'],
    );
    assert.deepEqual(leftovers(world), []);
  });

  it('collects from namespaces that a label selects, volumes or not', async () => {
    const world = await anApplication();
    world.a.server.seed(core.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'web', labels: { team: 'shop' } },
    });
    const collected: (readonly string[])[] = [];
    const source = {
      ...world.a.source,
      collect: async (...args: Parameters<typeof world.a.source.collect>) => {
        collected.push(args[1].namespaces);
        return await world.a.source.collect(...args);
      },
    };
    const object = {
      apiVersion: migrations.apiVersion,
      kind: 'Migration',
      metadata: { name: 'all', namespace: 'stork-system' },
      spec: { clusterPair: 'pair', namespaceSelectors: { team: 'shop' } },
    };
    await world.a.client.create(migrations, applyDefaults(migrations.schema, object));
    const look = runMachine(migrationMachine(source), {
      client: world.a.client,
      clock: world.clock,
      log: silentLog(),
    });
    for (let turns = 0; turns < 8; turns++) {
      await look('stork-system/all', new AbortController().signal);
      await world.clock.advance(1000);
    }
    assert.deepEqual(collected, [['web']]);
  });

  for (const [spec, side] of [
    [{ includeVolumes: false, includeResources: false }, /nothing was to be sent/],
    [{ includeResources: false }, /received volumes only/],
    [{ includeVolumes: false }, /a copy that is not started/],
    [{ startApplications: true }, /both sides run/],
  ] as const)
    it(`says who is active after ${JSON.stringify(spec)}`, async () => {
      const world = await anApplication();
      await world.migrate(world.a, 'first', spec);
      const status = await world.finish(world.a, 'first');
      assert.equal(status.status, 'Successful', status.reason ?? '');
      assert.match(status.activeSide ?? '', side);
      assert.deepEqual(leftovers(world), []);
    });
});
