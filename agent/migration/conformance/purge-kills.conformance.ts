import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crashEverywhere } from '../../../kube/runtime/crash-everywhere.ts';
import { claim, kept, migrated, settings } from '../testing/a-migrated-application.ts';
import { leftovers } from '../testing/an-application.ts';
import { drop, look } from '../testing/objects.ts';

describe('a source agent that is killed while it purges', () => {
  it('M8, M17: ends with everything purged once, from before and after every effect', async () => {
    await crashEverywhere(async () => {
      const world = await migrated();
      await drop(world.a, settings, claim);
      await world.migrate(world.a, 'second', { purgeDeletedResources: true });
      return {
        run: async (recorder) => void (await world.finish(world.a, 'second', recorder)),
        async check(where) {
          const status = await world.finish(world.a, 'second');
          assert.equal(status.status, 'Successful', `${where}: ${status.reason}`);
          assert.equal(await look(world.b, settings), undefined, where);
          assert.equal(await look(world.b, claim), undefined, where);
          assert.notEqual(await look(world.b, kept), undefined, where);
          assert.deepEqual(
            leftovers(world).filter((left) => !left.includes('PersistentVolume')),
            [],
            where,
          );
        },
      };
    });
  });
});
