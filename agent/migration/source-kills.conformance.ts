import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { crashEverywhere } from '../../kube/runtime/crash-everywhere.ts';
import { at } from '../resources/fields.ts';
import { storkNames } from '../resources/names.ts';
import { aDatabase, anApplication, leftovers } from './testing/an-application.ts';
import { aWriter } from './testing/fake-workloads.ts';
import { look, put } from './testing/objects.ts';
import { plainClass } from './testing/plain-storage.ts';
import { twoClusters } from './testing/two-clusters.ts';

describe('a source agent that is killed', () => {
  for (const sync of ['first', 'second'] as const)
    it(`M17: resumes from before and after every effect and status write of a ${sync} sync`, async () => {
      const effects = await crashEverywhere(async () => {
        const world = await anApplication();
        if (sync === 'second') {
          await world.migrate(world.a, 'first', {});
          await world.finish(world.a, 'first');
          await world.a.world.write('db', 'data', 'two');
        }
        await world.migrate(world.a, sync, {});
        return {
          run: async (recorder) => void (await world.finish(world.a, sync, recorder)),
          async check(where) {
            const status = await world.finish(world.a, sync);
            assert.equal(status.status, 'Successful', `${where}: ${status.reason}`);
            assert.equal(world.b.world.contentOf('db', 'data'), sync === 'first' ? 'one' : 'two', where);
            assert.deepEqual(leftovers(world), [], where);
          },
        };
      });
      assert.ok(effects.length > 8, `only ${effects.length} effects`);
    });

  it('brings back what it stopped for the copy, from before and after every effect and status write', async () => {
    const web = aWriter('web', ['files'], { replicas: 2 });
    const effects = await crashEverywhere(async () => {
      // One volume: effects that run side by side can't be told apart here (test/sim has two).
      const world = twoClusters();
      world.a.server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
      await aDatabase(world.a, 'files', 'pages', plainClass);
      await put(world.a, web);
      await world.migrate(world.a, 'm', { quiesce: true });
      return {
        run: async (recorder) => void (await world.finish(world.a, 'm', recorder)),
        async check(where) {
          const status = await world.finish(world.a, 'm');
          assert.equal(status.status, 'Successful', `${where}: ${status.reason}`);
          assert.equal(world.b.world.contentOf('db', 'files'), 'pages', where);
          const found = await look(world.a, web);
          assert.equal(at(found, ['spec', 'replicas']), 2, where);
          assert.equal(found?.metadata.annotations?.[storkNames.quiesced], undefined, where);
          assert.deepEqual(leftovers(world), [], where);
        },
      };
    });
    for (const effect of ['stop deployment db/web', 'resume deployment db/web'])
      assert.ok(effects.includes(effect), `${effect} is not among ${effects.join(', ')}`);
  });
});
