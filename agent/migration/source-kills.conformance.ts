import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crashEverywhere } from '../../kube/runtime/crash-everywhere.ts';
import { anApplication, leftovers } from './testing/an-application.ts';

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
});
