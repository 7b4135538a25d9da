import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { aDatabase, anApplication, aPod, leftovers } from './testing/an-application.ts';
import { digestOf, type TwoClusters } from './testing/two-clusters.ts';

describe('a migration between two clusters', () => {
  let world: TwoClusters;
  beforeEach(async () => {
    world = await anApplication();
  });

  it('M1: fills a new claim on the destination and leaves nothing temporary behind', async () => {
    await world.migrate(world.a, 'first', {});
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(status.stage, 'Final');
    assert.equal(status.summary?.volumes, '1/1');
    assert.equal(world.b.world.contentOf('db', 'data'), 'one');
    const volume = await world.b.client.get(core.persistentVolumeClaims, { namespace: 'db', name: 'data' });
    const pv = await world.b.client.get(core.persistentVolumes, { name: volume.spec?.volumeName ?? '' });
    assert.equal(pv.spec?.persistentVolumeReclaimPolicy, 'Delete');
    assert.deepEqual(leftovers(world), []);
    assert.match(status.activeSide ?? '', /a \(source\) is active/);
  });

  it('P17: updates the claim it filled, and only that', async () => {
    await world.migrate(world.a, 'first', {});
    await world.finish(world.a, 'first');
    await world.a.world.write('db', 'data', 'two');
    await world.migrate(world.a, 'second', {});
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(status.volumes?.[0]?.point, '2');
    assert.equal(status.volumes?.[0]?.digest, digestOf('two'));
    assert.equal(world.b.world.contentOf('db', 'data'), 'two');
    assert.deepEqual(leftovers(world), []);
  });

  it('refuses to write under a running pod, naming it, and changes nothing', async () => {
    await world.migrate(world.a, 'first', {});
    await world.finish(world.a, 'first');
    aPod(world.b);
    await world.a.world.write('db', 'data', 'two');
    await world.migrate(world.a, 'second', {});
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /pod db-0/);
    assert.equal(world.b.world.contentOf('db', 'data'), 'one');
    assert.deepEqual(leftovers(world), []);
  });

  it('overwrites an active destination when told to: snapshot kept, pods scaled down', async () => {
    await world.migrate(world.a, 'first', {});
    await world.finish(world.a, 'first');
    aPod(world.b);
    await world.b.world.write('db', 'data', 'written on b');
    await world.a.world.write('db', 'data', 'two');
    await world.migrate(world.a, 'second', { overwriteDestination: true });
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.deepEqual(world.b.scaledDown, ['db-0']);
    assert.equal(world.b.world.contentOf('db', 'data'), 'two');
    const kept = [...world.b.world.storage.snapshots.values()].map(({ content }) => content);
    assert.deepEqual(kept, ['written on b']);
  });

  it('refuses a destination that was written since the last sync', async () => {
    await world.migrate(world.a, 'first', {});
    await world.finish(world.a, 'first');
    await world.b.world.write('db', 'data', 'written on b');
    await world.migrate(world.a, 'second', {});
    const status = await world.finish(world.a, 'second');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /written since/);
    assert.equal(world.b.world.contentOf('db', 'data'), 'written on b');
    assert.deepEqual(leftovers(world), []);
  });

  it('M3: a reverse migration over the same pair brings the data back', async () => {
    await world.migrate(world.a, 'there', {});
    await world.finish(world.a, 'there');
    await world.b.world.write('db', 'data', 'worked on b');
    await world.migrate(world.b, 'back', {});
    const status = await world.finish(world.b, 'back');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(world.a.world.contentOf('db', 'data'), 'worked on b');
  });

  it('refuses a foreign claim of the same name', async () => {
    world.b.server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
    await aDatabase(world.b, 'data', 'not yours');
    await world.migrate(world.a, 'first', {});
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /did not come through this pair/);
    assert.equal(world.b.world.contentOf('db', 'data'), 'not yours');
  });

  for (const [what, spec, message] of [
    ['an unknown namespace', { namespaces: ['nope'] }, /Namespace nope does not exist/],
    ['an unknown rule', { preExecRule: 'nope' }, /Rule nope .* does not exist/],
    ['a missing StorageClass', { storageClassMapping: { fast: 'gold' } }, /StorageClass gold .* does not exist/],
    ['another namespace than its own (M4)', { namespaces: ['db', 'kube-system'] }, /can only migrate that namespace/],
  ] as const)
    it(`refuses ${what} by name, before any effect`, async () => {
      await world.migrate(world.a, 'first', spec);
      const before = world.b.server.objects().length;
      const status = await world.finish(world.a, 'first');
      assert.equal(status.status, 'Failed');
      assert.match(status.reason ?? '', message);
      assert.equal(world.b.server.objects().length, before);
      assert.deepEqual(leftovers(world), []);
    });

  it('waits while the pair is not ready, and goes on when it is', async () => {
    world.link.ready = 'No';
    await world.migrate(world.a, 'first', {});
    await world.turn(world.a, 'first');
    await world.turn(world.a, 'first');
    world.link.ready = 'Yes';
    assert.equal((await world.finish(world.a, 'first')).status, 'Successful');
  });
});
