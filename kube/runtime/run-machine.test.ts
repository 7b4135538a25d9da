import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeClient } from '../client/client.ts';
import { core } from '../client/core.ts';
import { type ManualClock, manualClock } from '../clock.ts';
import { ApiError, StorkError } from '../errors.ts';
import { fakeApiServer } from '../fake/fake-api-server.ts';
import { faulty } from '../fake/faulty.ts';
import { silentLog } from '../log.ts';
import { findCondition } from './conditions.ts';
import { crashEverywhere } from './crash-everywhere.ts';
import { recordEdges } from './edge-coverage.ts';
import type { EffectRecorder } from './effects.ts';
import type { EventFacts } from './events.ts';
import { defineMachine } from './machine.ts';
import { advance } from './outcome.ts';
import type { Reconcile, ReconcileResult } from './reconcile.ts';
import { runMachine } from './run-machine.ts';
import { aCake, type Cake, cakeDefinition, cakeFinalizer, cakeMachine, cakes, type Trouble } from './testing/cake.ts';

const edges = recordEdges();
const signal = new AbortController().signal;
const key = 'bakery/gateau';
const gateau = { namespace: 'bakery', name: 'gateau' };

function aKitchen(cake: Cake = aCake()) {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  server.register(cakeDefinition);
  server.seed(cakes, cake);
  const client = faulty(server.client());
  const events: EventFacts[] = [];
  const bake = (options: { trouble?: Trouble; effects?: EffectRecorder; client?: KubeClient } = {}) =>
    runMachine(cakeMachine(options.trouble), {
      client: options.client ?? client,
      clock,
      log: silentLog(),
      events: { record: (event) => void events.push(event) },
      effects: options.effects,
      onEdge: edges.onEdge,
    });
  return { clock, server, client, events, bake, get: () => client.get(cakes, gateau) };
}

/** Reconciles as the controller would, until it only waits for changes. */
async function drive(reconcile: Reconcile, clock: ManualClock, maxRuns = 50): Promise<ReconcileResult> {
  for (let run = 0; run < maxRuns; run += 1) {
    const result = await reconcile(key, signal);
    if (result.do !== 'requeue') return result;
    await clock.advance(result.seconds * 1000);
  }
  throw new Error('it never ended');
}

const succeeded = (cake: Cake) => findCondition(cake.status?.conditions, 'Succeeded');
const stalled = (cake: Cake) => findCondition(cake.status?.conditions, 'Stalled');

describe('machine runner', () => {
  it('goes through the table, tells events after each write, and ends', async () => {
    const { clock, bake, get, events, client } = aKitchen();
    assert.deepEqual(await drive(bake(), clock), { do: 'awaitChange' });
    const cake = await get();
    assert.equal(cake.status?.ended, 'Served');
    assert.equal(cake.status?.observedGeneration, 1);
    assert.deepEqual([succeeded(cake)?.status, succeeded(cake)?.reason], ['True', 'Served']);
    assert.equal(findCondition(cake.status?.conditions, 'Progressing')?.status, 'False');
    assert.deepEqual(
      events.map((event) => `${event.type} ${event.reason}`),
      ['Normal Baking', 'Normal Cleanup', 'Normal Served'],
    );
    assert.equal(await client.find(core.configMaps, gateau), undefined);
  });

  it('holds its finalizer from before the first effect until the end', async () => {
    const { clock, bake, get } = aKitchen();
    await bake()(key, signal);
    assert.deepEqual((await get()).metadata.finalizers, [cakeFinalizer]);
    await drive(bake(), clock);
    assert.deepEqual((await get()).metadata.finalizers ?? [], []);
  });

  it('waits as long as the stage says and shows what for', async () => {
    const { bake, get } = aKitchen();
    await bake()(key, signal);
    assert.deepEqual(await bake()(key, signal), { do: 'requeue', seconds: 30 });
    const progressing = findCondition((await get()).status?.conditions, 'Progressing');
    assert.deepEqual(progressing && [progressing.status, progressing.reason, progressing.message], [
      'True',
      'LayerInOven',
      'layer 1',
    ]);
  });

  it('writes nothing when the status says it already', async () => {
    const { bake, get } = aKitchen(aCake({ layers: 100 }));
    const machine = cakeMachine();
    await bake()(key, signal);
    const stuck = runMachine(
      { ...machine, stages: { ...machine.stages, Baking: { ...machine.stages.Baking, run: async () => waitForever } } },
      { client: aKitchen().client, clock: manualClock(), log: silentLog() },
    );
    await stuck(key, signal);
    const before = (await get()).metadata.resourceVersion;
    await stuck(key, signal);
    assert.equal((await get()).metadata.resourceVersion, before);
  });

  it('follows fail into the stage that cleans up, and keeps the failure as the verdict', async () => {
    const { clock, bake, get, events } = aKitchen(aCake({ layers: -1 }));
    await drive(bake(), clock);
    const cake = await get();
    assert.equal(cake.status?.ended, 'Burnt');
    assert.deepEqual(succeeded(cake) && [succeeded(cake)?.reason, succeeded(cake)?.message], [
      'NoLayers',
      'a cake needs layers',
    ]);
    assert.ok(events.some((event) => event.type === 'Warning' && event.reason === 'NoLayers'));
  });

  it('turns a final StorkError into the stage’s failure', async () => {
    for (const stage of ['', 'Cleanup']) {
      const { clock, bake, get } = aKitchen();
      const trouble: Trouble = (at) => {
        if (at === stage) throw new StorkError({ code: 'OvenMissing', message: 'there is no oven' });
      };
      await drive(bake({ trouble }), clock);
      const cake = await get();
      assert.deepEqual([cake.status?.ended, succeeded(cake)?.reason], ['Burnt', 'OvenMissing']);
    }
  });

  for (const [what, error, reason] of [
    ['a retryable error', new StorkError({ code: 'OvenBusy', message: 'busy', retryable: true }), 'OvenBusy'],
    ['a lost race', new ApiError({ code: 409, reason: 'Conflict', message: 'changed' }, 'x'), 'Conflict'],
    ['a bug', new TypeError('undefined is not a cake'), 'UnexpectedError'],
  ] as const)
    it(`shows ${what} as Stalled, retries, and clears it when it went well`, async () => {
      const { clock, bake, get } = aKitchen();
      const trouble: Trouble = () => {
        throw error;
      };
      assert.deepEqual(await bake({ trouble })(key, signal), { do: 'retry', error });
      assert.deepEqual([stalled(await get())?.status, stalled(await get())?.reason], ['True', reason]);
      await drive(bake(), clock);
      assert.equal(stalled(await get()), undefined);
      assert.equal((await get()).status?.ended, 'Served');
    });

  it('fails a stage that outlasts its deadline, counted from its start across restarts', async () => {
    const { clock, bake, get } = aKitchen(aCake({ layers: 1000 }));
    await drive(bake(), clock);
    const cake = await get();
    assert.equal(succeeded(cake)?.reason, 'StageDeadlineExceeded');
    assert.ok((cake.status?.layers ?? 0) <= 21, 'about 600 s of 30 s each');
  });

  it('wakes at the deadline although the stage would wait longer', async () => {
    const { clock, bake } = aKitchen(aCake({ layers: 1000 }));
    await bake()(key, signal);
    await clock.advance(590_000);
    assert.deepEqual(await bake()(key, signal), { do: 'requeue', seconds: 10 });
  });

  it('writes its status over a meanwhile changed label, but not over a changed spec or status', async () => {
    const { client, bake, get } = aKitchen();
    const during = (body: Readonly<Record<string, unknown>>, subresource?: 'status') => {
      const before = async (effect: string) => {
        if (effect === 'mix the dough') await client.patch(cakes, gateau, { type: 'merge', body }, { subresource });
      };
      return bake({ client: meddled(client, before) })(key, signal);
    };
    assert.deepEqual(await during({ spec: { layers: 2 } }), { do: 'requeue', seconds: 1 });
    assert.equal((await get()).status?.stage, undefined);
    assert.deepEqual(await during({ status: { layers: 7 } }, 'status'), { do: 'requeue', seconds: 1 });
    assert.equal((await get()).status?.stage, undefined);
    assert.deepEqual(await during({ metadata: { labels: { sweet: 'yes' } } }), { do: 'requeue', seconds: 0 });
    assert.equal((await get()).status?.stage, 'Baking');
    assert.deepEqual((await get()).metadata.labels, { sweet: 'yes' });
  });

  it('cleans up a deleted object and lets it go', async () => {
    const { client, bake, server } = aKitchen();
    await bake()(key, signal);
    await client.delete(cakes, gateau);
    assert.notEqual(await client.find(cakes, gateau), undefined);
    assert.deepEqual(await bake()(key, signal), { do: 'awaitChange' });
    assert.equal(await client.find(cakes, gateau), undefined);
    assert.equal(
      server.objects().some((object) => object.kind === 'ConfigMap'),
      false,
    );
  });

  it('does nothing for an object that is gone, ended, or deleted before it was ours', async () => {
    const { bake, client, clock } = aKitchen();
    assert.deepEqual(await bake()('bakery/nothing', signal), { do: 'awaitChange' });
    await drive(bake(), clock);
    const before = client.writeCount;
    assert.deepEqual(await bake()(key, signal), { do: 'awaitChange' });
    assert.equal(client.writeCount, before);
  });

  it('throws an edge that is not in the table, and writes nothing', async () => {
    const { client, clock, get } = aKitchen();
    const machine = cakeMachine();
    const wrong = {
      ...machine,
      stages: {
        ...machine.stages,
        '': { ...machine.stages[''], run: async () => advance<'Cleanup', never>('Cleanup') },
      },
    };
    const reconcile = runMachine(wrong, { client, clock, log: silentLog() });
    await assert.rejects(reconcile(key, signal), /machine cake has no edge/);
    assert.equal((await get()).status, undefined);
  });

  it('throws when the status it would write does not lead back to the stage', async () => {
    const { client, clock } = aKitchen();
    const forgetful = { ...cakeMachine(), statusFor: () => ({}) };
    const reconcile = runMachine(forgetful, { client, clock, log: silentLog() });
    await assert.rejects(reconcile(key, signal), /stageOf answers/);
  });

  it('ends right wherever it is killed, with one dough at most and none left', async () => {
    const effects = await crashEverywhere(async () => {
      const { clock, bake, get, server } = aKitchen();
      return {
        run: async (recorder) => void (await drive(bake({ effects: recorder }), clock)),
        check: async (where) => {
          const cake = await get();
          assert.equal(cake.status?.ended, 'Served', where);
          assert.deepEqual(cake.metadata.finalizers ?? [], [], where);
          assert.equal(
            server.objects().some((object) => object.kind === 'ConfigMap'),
            false,
            where,
          );
        },
      };
    });
    assert.deepEqual(effects, [
      'ensure finalizer',
      'mix the dough',
      'write status:  → Baking',
      'write status: Baking → Baking',
      'write status: Baking → Cleanup',
      'throw the dough away',
      'write status: Cleanup → End',
      'remove finalizer',
    ]);
  });

  it('ends right when the API server dies around any of its writes', async () => {
    for (const moment of ['Before', 'After'] as const)
      for (let number = 1; number <= 8; number += 1) {
        const { clock, bake, client, server } = aKitchen();
        client.dieAtWrite(number, moment);
        await drive(bake(), clock).catch(() => {});
        await drive(bake({ client: server.client() }), clock);
        const cake = await server.client().get(cakes, gateau);
        assert.equal(cake.status?.ended, 'Served', `${moment} write ${number}`);
      }
  });

  it('crossed every edge of the table in these tests', () => {
    assert.deepEqual(edges.uncrossed(cakeMachine()), []);
  });
});

/** A client in whose use something else happens just before the dough is mixed. */
function meddled(client: KubeClient, before: (effect: string) => Promise<void>): KubeClient {
  return {
    ...client,
    create: async (resource, object, options) => {
      await before('mix the dough');
      return await client.create(resource, object, options);
    },
  };
}

const waitForever = { do: 'wait', seconds: 60, reason: 'Resting', message: '' } as const;

describe('defineMachine', () => {
  it('refuses unknown targets, unreachable stages and deadlines without a start', () => {
    const machine = cakeMachine();
    const { stageStartTime: _start, ...timeless } = machine;
    assert.throws(() => defineMachine(timeless), /deadline/);
    const { Cleanup, ...rest } = machine.stages;
    assert.throws(
      () => defineMachine({ ...machine, stages: { ...rest, Cleanup, '': { ...rest[''], to: ['End'] } } }),
      /stage Baking can't be reached/,
    );
  });
});
