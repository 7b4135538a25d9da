import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { migrations } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { anApplication, leftovers } from './testing/an-application.ts';
import { restartAgent, type TwoClusters } from './testing/two-clusters.ts';

const syncs = ['first', 'second'] as const;
const moments = ['Before', 'After'] as const;

/** Ready for the sync of that name: the second one finds what the first one left. */
async function readyFor(sync: (typeof syncs)[number]): Promise<TwoClusters> {
  const world = await anApplication();
  if (sync === 'first') return world;
  await world.migrate(world.a, 'first', {});
  await world.finish(world.a, 'first');
  await world.a.world.write('db', 'data', 'two');
  return world;
}

async function mustBeEqual(world: TwoClusters, sync: (typeof syncs)[number], where: string): Promise<void> {
  const { status } = await world.a.client.get(migrations, { namespace: 'db', name: sync });
  assert.equal(status?.status, 'Successful', `${where}: ${status?.reason}`);
  assert.equal(world.b.world.contentOf('db', 'data'), sync === 'first' ? 'one' : 'two', where);
  assert.equal(status.volumes?.[0]?.point, sync === 'first' ? '1' : '2', where);
  assert.deepEqual(leftovers(world), [], where);
  const claim = await world.b.client.get(core.persistentVolumeClaims, { namespace: 'db', name: 'data' });
  const volume = await world.b.client.get(core.persistentVolumes, { name: claim.spec?.volumeName ?? '' });
  assert.equal(volume.spec?.persistentVolumeReclaimPolicy, 'Delete', where);
}

describe('a destination agent that is killed', () => {
  for (const sync of syncs)
    it(`ends well from before and after every write of a ${sync} sync`, async () => {
      const calm = await readyFor(sync);
      const before = calm.b.agent.writeCount;
      await calm.migrate(calm.a, sync, {});
      await calm.finish(calm.a, sync);
      const writes = calm.b.agent.writeCount - before;
      assert.ok(writes > 4, `only ${writes} writes`);
      const failures: string[] = [];
      for (let write = 1; write <= writes; write++)
        for (const moment of moments) {
          const world = await readyFor(sync);
          world.b.agent.dieAtWrite(write, moment);
          await world.migrate(world.a, sync, {});
          for (let turns = 0; turns < 20; turns++) await world.turn(world.a, sync);
          restartAgent(world.b);
          const where = `killed ${moment} write ${write} of ${writes}`;
          await world
            .finish(world.a, sync)
            .then(() => mustBeEqual(world, sync, where))
            .catch((error: Error) => failures.push(`${where}: ${error.message}`));
        }
      assert.deepEqual(failures, []);
    });
});

describe('a link that is cut', () => {
  for (const sync of syncs)
    it(`loses any request or reply of a ${sync} sync, and it ends well`, async () => {
      const calm = await readyFor(sync);
      const before = calm.link.requests;
      await calm.migrate(calm.a, sync, {});
      await calm.finish(calm.a, sync);
      const requests = calm.link.requests - before;
      const failures: string[] = [];
      for (let request = 1; request <= requests; request++)
        for (const moment of moments) {
          const world = await readyFor(sync);
          world.link.cutAt = { request: world.link.requests + request, moment };
          await world.migrate(world.a, sync, {});
          const where = `cut ${moment} request ${request} of ${requests}`;
          await world
            .finish(world.a, sync)
            .then(() => mustBeEqual(world, sync, where))
            .catch((error: Error) => failures.push(`${where}: ${error.message}`));
        }
      assert.deepEqual(failures, []);
    });
});

describe('a migration that is deleted', () => {
  for (const sync of syncs)
    it(`is cleaned up on both sides at any moment of a ${sync} sync, and leaves one of two points`, async () => {
      const failures: string[] = [];
      for (let turns = 1; turns < 16; turns++) {
        const world = await readyFor(sync);
        await world.migrate(world.a, sync, {});
        for (let turn = 0; turn < turns; turn++) await world.turn(world.a, sync);
        await world.a.client.delete(migrations, { namespace: 'db', name: sync });
        for (let turn = 0; turn < 30; turn++) await world.turn(world.a, sync);
        const where = `deleted after ${turns} turns`;
        const left = await world.a.client.find(migrations, { namespace: 'db', name: sync });
        if (left !== undefined) failures.push(`${where}: the Migration is still there`);
        const rest = leftovers(world);
        if (rest.length > 0) failures.push(`${where}: ${rest.join(', ')}`);
        const content = world.b.world.contentOf('db', 'data');
        const memory = await world.b.destination.records.findClaim('db', 'data');
        const remembered = memory === undefined ? undefined : memory.digest.replace('sha256:', '');
        if (content !== remembered) failures.push(`${where}: holds ${content}, remembers ${remembered}`);
      }
      assert.deepEqual(failures, []);
    });
});
