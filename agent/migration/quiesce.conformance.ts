import { describe, it } from 'node:test';
import { migrations } from '../../crds/v1alpha1/index.ts';
import { mustBeBack, plain, web } from './testing/an-application-on-plain-storage.ts';

describe('what is stopped for a copy', () => {
  it('comes back at any moment at which the Migration is deleted', async () => {
    for (let turns = 1; turns < 16; turns++) {
      const world = await plain(web);
      await world.migrate(world.a, 'm', { quiesce: true });
      for (let turn = 0; turn < turns; turn++) await world.turn(world.a, 'm');
      await world.a.client.delete(migrations, { namespace: 'db', name: 'm' });
      for (let turn = 0; turn < 30; turn++) await world.turn(world.a, 'm');
      await mustBeBack(world, web, `deleted after ${turns} turns`);
    }
  });
});
