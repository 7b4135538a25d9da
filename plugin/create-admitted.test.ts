import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { actions, migrations } from '../crds/v1alpha1/index.ts';
import type { KubeObject, Resource } from '../kube/client/client.ts';
import { core } from '../kube/client/core.ts';
import { assertGolden, seedPair, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const start = new Date('2026-11-21T06:30:00Z');
type Authorize = NonNullable<NonNullable<Parameters<typeof terminalWorld>[0]>['authorize']>;

function aShop(options: { readonly authorize?: Authorize } = {}): TerminalWorld {
  const world = terminalWorld({ start, ...options });
  for (const name of ['shop', 'stork-system'])
    world.servers.east.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  seedPair(world, 'shop', 'west');
  seedPair(world, 'stork-system', 'north');
  seedPair(world, 'default', 'south');
  return world;
}

async function namesOf<T extends KubeObject>(world: TerminalWorld, resource: Resource<T>) {
  const found: string[] = [];
  for await (const { metadata } of world.servers.east.client().list(resource, {})) found.push(metadata.name);
  return found;
}

describe('while no agent answers admission', () => {
  it('a migration is tried again, says so once, and is created when one is back', async () => {
    const world = aShop();
    world.agents.answer = 'No';
    const running = world.run('migrate shop --to west --detach');
    await world.clock.advance(20_000);
    assert.deepEqual(await namesOf(world, migrations), []);
    world.agents.answer = 'Yes';
    await world.clock.advance(2000);
    assert.equal(await running, 0);
    assert.deepEqual(await namesOf(world, migrations), ['migrate-shop-2026-11-21-063000']);
    await assertGolden('no-agent.txt', world.transcript());
  });

  for (const line of [
    'activate migration -n shop',
    'plan migrate shop --to west',
    'create migration m -n shop --namespaces shop -c west',
  ])
    it(`${line} gives up after a minute with what to do`, async () => {
      const world = aShop();
      world.agents.answer = 'No';
      const running = world.run(line);
      await world.clock.advance(61_000);
      assert.equal(await running, 1);
      assert.match(world.transcript(), /reached no agent for 60 s; .* was not created/);
      assert.match(world.transcript(), /kubectl stork status/);
      assert.deepEqual([...(await namesOf(world, migrations)), ...(await namesOf(world, actions))], []);
    });

  it('any other refusal is told at once', async () => {
    const world = aShop();
    assert.equal(await world.run('create migration m -n nowhere --namespaces x -c north'), 1);
    assert.doesNotMatch(world.transcript(), /Trying again/);
  });
});

describe('a pair that does not exist', () => {
  for (const line of ['migrate shop --to wset', 'migrate shop --to wset --dry-run', 'plan migrate shop --to wset'])
    it(`is told by ${line} before anything is created`, async () => {
      const world = aShop();
      assert.equal(await world.run(line), 1);
      assert.deepEqual(await namesOf(world, migrations), []);
      assert.match(
        world.transcript(),
        /no ClusterPair wset in namespace shop or namespace stork-system; nothing was created/,
      );
      assert.match(world.transcript(), /There is: north, west\. See: kubectl stork pair list/);
    });

  it('is left to the agent where it may be in a namespace of its own, or pairs may not be seen', async () => {
    const world = aShop();
    assert.equal(await world.run('migrate shop --to south --detach'), 0);
    const blind = aShop({
      authorize: ({ resource, namespace }) => (resource === 'clusterpairs' && namespace !== 'shop' ? 'Deny' : 'Allow'),
    });
    assert.equal(await blind.run('migrate shop --to wset --detach'), 0);
  });

  it("is no matter of a dry run by the server alone, nor of Stork's own command", async () => {
    assert.equal(await aShop().run('create migration m -n shop --namespaces shop -c wset'), 0);
    assert.equal(await aShop().run('migrate shop --to wset --dry-run=server'), 0);
  });

  it('says how to make the first', async () => {
    const world = terminalWorld({ start });
    assert.equal(await world.run('migrate default --to west'), 1);
    assert.match(world.transcript(), /no pair yet.*kubectl stork pair create/);
  });
});
