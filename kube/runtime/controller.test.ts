import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConfigMap, core } from '../client/core.ts';
import { manualClock } from '../clock.ts';
import { fakeApiServer } from '../fake/fake-api-server.ts';
import { memoryLog } from '../log.ts';
import { type ControllerOptions, createController } from './controller.ts';
import { type InformerDefinition, startInformer } from './informer.ts';
import { informerSet } from './informer-set.ts';
import { createMachineController } from './machine-controller.ts';
import { awaitChange, type Reconcile, requeueAfter } from './reconcile.ts';
import { aCake, cakeDefinition, cakeMachine, cakes } from './testing/cake.ts';

const configMaps: InformerDefinition<ConfigMap, string> = {
  resource: core.configMaps,
  project: ({ metadata }) => metadata.resourceVersion ?? '',
};

function aConfigMap(name: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } };
}

async function aController(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  const client = server.client();
  const log = memoryLog();
  const controller = createController({ name: 'test', clock, random: () => 0, log, reconcile, ...options });
  const informer = startInformer(configMaps, { client, clock, random: () => 0, log });
  controller.watch(informer, (change) => [change.key]);
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
    await informer[Symbol.asyncDispose]();
  };
  return { clock, server, client, controller, log, end };
}

describe('controller', () => {
  it('reconciles what is there, what changes and what goes', async () => {
    const seen: string[] = [];
    const { clock, client, end } = await aController(async (key) => {
      seen.push(key);
      return awaitChange();
    });
    await client.create(core.configMaps, aConfigMap('a'));
    await clock.advance(0);
    await client.delete(core.configMaps, { namespace: 'default', name: 'a' });
    await clock.advance(0);
    assert.deepEqual(seen, ['default/a', 'default/a']);
    await end();
  });

  it('looks again after the asked time, and earlier when the object changes', async () => {
    const seen: number[] = [];
    const { clock, client, end } = await aController(async () => {
      seen.push(clock.monotonicMs());
      return requeueAfter(60);
    });
    await client.create(core.configMaps, aConfigMap('a'));
    await clock.advance(60_000);
    await clock.advance(10_000);
    await client.patch(
      core.configMaps,
      { namespace: 'default', name: 'a' },
      { type: 'merge', body: { data: { x: '1' } } },
    );
    await clock.advance(59_999);
    assert.deepEqual(seen, [0, 60_000, 70_000]);
    await end();
  });

  it('logs what a reconcile throws and retries it with growing delays, the others undisturbed', async () => {
    const seen: string[] = [];
    const { clock, client, log, end } = await aController(async (key) => {
      seen.push(`${key} ${clock.monotonicMs()}`);
      if (key === 'default/bad') throw new Error('oh');
      return awaitChange();
    });
    await client.create(core.configMaps, aConfigMap('bad'));
    await client.create(core.configMaps, aConfigMap('good'));
    await clock.advance(7000);
    assert.deepEqual(seen, [
      'default/bad 0',
      'default/good 0',
      'default/bad 1000',
      'default/bad 3000',
      'default/bad 7000',
    ]);
    assert.equal(log.lines.filter((line) => line.message === 'reconcile failed, will retry').length, 4);
    await end();
  });

  it('takes keys that found no room up again once there is some', async () => {
    const seen = new Set<string>();
    const { clock, client, end } = await aController(
      async (key) => {
        await clock.sleep(1000);
        seen.add(key);
        return awaitChange();
      },
      { workers: 1, queueLimit: 2 },
    );
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await client.create(core.configMaps, aConfigMap(name));
    await clock.advance(60_000);
    assert.equal(seen.size, 6);
    await end();
  });

  it('aborts a running reconcile on stop and waits for its end', async () => {
    let ended = 'no';
    const { clock, client, end } = await aController(async (_key, signal) => {
      await clock.sleep(60_000, signal).catch(() => {});
      ended = 'yes';
      return awaitChange();
    });
    await client.create(core.configMaps, aConfigMap('a'));
    await clock.advance(0);
    await end();
    assert.equal(ended, 'yes');
  });

  it('tells its metrics', async () => {
    const told: string[] = [];
    const metrics: ControllerOptions['metrics'] = {
      reconciled: (name, result, ms) => void told.push(`${name} ${result} ${ms}`),
    };
    const { clock, client, end } = await aController(
      async () => {
        await clock.sleep(250);
        return awaitChange();
      },
      { metrics },
    );
    await client.create(core.configMaps, aConfigMap('a'));
    await clock.advance(300);
    assert.deepEqual(told, ['test awaitChange 250']);
    await end();
  });
});

describe('machine controller', () => {
  it('drives objects to their end by itself, and its own status writes do not wake it', async () => {
    const clock = manualClock();
    const server = fakeApiServer({ clock });
    server.register(cakeDefinition);
    const client = server.client();
    const log = memoryLog();
    const runs: string[] = [];
    const machine = cakeMachine((stage, cake) => void runs.push(`${cake.metadata.name} ${stage}`));
    await using informers = informerSet({ client, clock, random: () => 0, log });
    const controller = createMachineController(machine, { client, clock, log, informers, random: () => 0 });
    const stop = new AbortController();
    const running = controller.run(stop.signal);
    await client.create(cakes, aCakeIn(server, 'one'));
    await clock.advance(29_000);
    assert.deepEqual(runs, ['one ', 'one Baking']);
    await clock.advance(2_000);
    assert.deepEqual(runs, ['one ', 'one Baking', 'one Baking', 'one Cleanup']);
    assert.equal((await client.get(cakes, { namespace: 'bakery', name: 'one' })).status?.ended, 'Served');
    stop.abort();
    await running;
  });
});

/** The namespace comes with the seed. */
function aCakeIn(server: ReturnType<typeof fakeApiServer>, name: string) {
  server.seed(core.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'bakery' } });
  return aCake({}, name);
}
