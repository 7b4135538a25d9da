/**
 * kube/runtime on a real kube-apiserver: what its unit tests show on the fake, the server shows too. Status writes by
 * server-side apply, lost races, finalizers by JSON patch, events, leases, informers over real watches.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { KubeClient } from '../../kube/client/client.ts';
import { type ConfigMap, core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { silentLog } from '../../kube/log.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { crashEverywhere } from '../../kube/runtime/crash-everywhere.ts';
import type { EffectRecorder } from '../../kube/runtime/effects.ts';
import { eventRecorder } from '../../kube/runtime/events.ts';
import { ensureFinalizer, removeFinalizer } from '../../kube/runtime/finalizer.ts';
import { startInformer } from '../../kube/runtime/informer.ts';
import { runAsLeader } from '../../kube/runtime/lease.ts';
import { runMachine } from '../../kube/runtime/run-machine.ts';
import { aCake, cakeDefinition, cakeMachine, cakes, type Trouble } from '../../kube/runtime/testing/cake.ts';
import { type RunningApiServer, startApiServer } from '../testbed/apiserver.ts';

const clock = systemClock();
const signal = new AbortController().signal;
let server: RunningApiServer | undefined;
let client: KubeClient;

before(async () => {
  server = await startApiServer();
  const readText = (path: string) => readFile(path, 'utf8');
  const config = await loadKubeconfig({
    env: {},
    homeDirectory: '/nonexistent',
    readText,
    path: server.kubeconfigPath,
  });
  client = createKubeClient({ config, env: {}, readText, terminal: 'Absent', clock, random: Math.random });
  const metadata = { name: 'cakes.kitchen.test' };
  const spec = {
    ...cakeDefinition.spec,
    names: { ...cakeDefinition.spec.names, singular: 'cake', listKind: 'CakeList' },
  };
  await client.create(core.customResourceDefinitions, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata,
    spec,
  });
  await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bakery' } });
  await until(async () => (await client.listPage(cakes).catch(() => undefined)) !== undefined);
});
after(async () => {
  client?.close();
  await server?.stop();
});

let cakesMade = 0;

async function bakeACake(layers = 1) {
  cakesMade += 1;
  const name = `cake-${cakesMade}`;
  await client.create(cakes, aCake({ layers }, name));
  const key = `bakery/${name}`;
  const machine = (options: { trouble?: Trouble; effects?: EffectRecorder; through?: KubeClient } = {}) =>
    runMachine(cakeMachine(options.trouble), {
      client: options.through ?? client,
      clock,
      log: silentLog(),
      effects: options.effects,
    });
  /** As the controller would, but without the waiting. */
  const drive = async (options: Parameters<typeof machine>[0] = {}) => {
    for (let run = 0; run < 30; run += 1) if ((await machine(options)(key, signal)).do === 'awaitChange') return;
    throw new Error('it never ended');
  };
  const get = () => client.get(cakes, { namespace: 'bakery', name });
  return { name, key, machine, drive, get };
}

describe('kube/runtime on a real kube-apiserver', () => {
  it('drives a machine to its end, with conditions, generation and nothing left', async () => {
    const { drive, get, name } = await bakeACake();
    await drive();
    const { status, metadata } = await get();
    assert.equal(status?.ended, 'Served');
    assert.equal(status?.observedGeneration, 1);
    assert.equal(findCondition(status?.conditions, 'Succeeded')?.status, 'True');
    assert.equal(metadata.finalizers, undefined);
    assert.equal(await client.find(core.configMaps, { namespace: 'bakery', name }), undefined);
  });

  it('ends right wherever it is killed', async () => {
    const effects = await crashEverywhere(async () => {
      const { drive, get, name } = await bakeACake();
      return {
        run: (recorder) => drive({ effects: recorder }),
        check: async (where) => {
          assert.equal((await get()).status?.ended, 'Served', where);
          assert.equal(await client.find(core.configMaps, { namespace: 'bakery', name }), undefined, where);
        },
      };
    });
    assert.equal(effects.length, 8);
  });

  it('survives lost replies of every write', async () => {
    for (const verb of ['create', 'apply', 'patch', 'delete'] as const) {
      const { drive, get } = await bakeACake();
      const through = faulty(client);
      through.loseNextReply(verb);
      await drive({ through });
      assert.equal((await get()).status?.ended, 'Served', verb);
    }
  });

  it('writes its status over a meanwhile changed label, but not over a changed spec', async () => {
    const { machine, get, name, key } = await bakeACake();
    const meddle = (body: Readonly<Record<string, unknown>>): KubeClient => ({
      ...client,
      create: async (resource, object, options) => {
        await client.patch(cakes, { namespace: 'bakery', name }, { type: 'merge', body });
        return await client.create(resource, object, options);
      },
    });
    assert.deepEqual(await machine({ through: meddle({ spec: { layers: 2 } }) })(key, signal), {
      do: 'requeue',
      seconds: 1,
    });
    assert.equal((await get()).status, undefined);
    const labelled = await machine({ through: meddle({ metadata: { labels: { sweet: 'yes' } } }) })(key, signal);
    assert.deepEqual(labelled, { do: 'requeue', seconds: 0 });
    assert.equal((await get()).status?.stage, 'Baking');
  });

  it('removes fields and conditions from status that it no longer wants', async () => {
    const { machine, get, key, drive } = await bakeACake();
    const trouble: Trouble = () => {
      throw new TypeError('a bug');
    };
    await machine({ trouble })(key, signal);
    assert.equal(findCondition((await get()).status?.conditions, 'Stalled')?.reason, 'UnexpectedError');
    await drive();
    assert.equal(findCondition((await get()).status?.conditions, 'Stalled'), undefined);
  });

  it('refuses a lost finalizer race instead of removing another’s', async () => {
    const key = { namespace: 'bakery', name: 'held' };
    const finalizers = ['other.test/x', 'stork.test/a', 'other.test/y'];
    const object: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...key, finalizers } };
    const made = await client.create(core.configMaps, object);
    const body = { metadata: { finalizers: ['stork.test/a', 'other.test/y'] } };
    await client.patch(core.configMaps, key, { type: 'merge', body });
    const request = { client, resource: core.configMaps, object: made, finalizer: 'stork.test/a' };
    const left = await removeFinalizer(request);
    assert.ok(left);
    assert.deepEqual(left.metadata.finalizers, ['other.test/y']);
    const again = await ensureFinalizer({ ...request, object: left });
    assert.deepEqual(again?.metadata.finalizers, ['other.test/y', 'stork.test/a']);
    await client.patch(core.configMaps, key, { type: 'merge', body: { metadata: { finalizers: null } } });
    await client.delete(core.configMaps, key);
  });

  it('records and counts events', async () => {
    let ids = 0;
    const newId = () => `${++ids}`;
    await using events = eventRecorder({ client, clock, log: silentLog(), component: 'stork-agent', newId });
    const { get } = await bakeACake();
    const told = { regarding: await get(), type: 'Normal', reason: 'Baking', message: 'it bakes' } as const;
    events.record(told);
    events.record(told);
    await events.flush();
    const { items } = await client.listPage(core.events, { namespace: 'bakery', fieldSelector: 'reason=Baking' });
    assert.deepEqual(
      items.map((event) => event.count),
      [2],
    );
  });

  it('hands a lease over', async () => {
    const history: string[] = [];
    const candidate = (identity: string) => {
      const stop = new AbortController();
      const ended = runAsLeader(
        {
          client,
          clock,
          random: Math.random,
          log: silentLog(),
          namespace: 'bakery',
          name: 'oven',
          identity,
          retryMs: 100,
        },
        async (leading) => {
          history.push(identity);
          await clock.sleep(60_000, leading);
        },
        stop.signal,
      );
      return { stop: () => stop.abort(), ended };
    };
    const a = candidate('a');
    await until(async () => history.includes('a'));
    const b = candidate('b');
    await clock.sleep(500);
    assert.deepEqual(history, ['a']);
    a.stop();
    assert.equal(await a.ended, 'Released');
    await until(async () => history.includes('b'));
    b.stop();
    assert.equal(await b.ended, 'Released');
  });

  it('follows objects page by page and by watch', async () => {
    const keys = Array.from({ length: 7 }, (_unused, number) => ({ namespace: 'bakery', name: `seen-${number}` }));
    const make = (metadata: (typeof keys)[number]) =>
      client.create(core.configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { ...metadata, labels: { seen: 'yes' } },
      });
    for (const key of keys.slice(0, 5)) await make(key);
    await using informer = startInformer(
      { resource: core.configMaps, labelSelector: 'seen=yes', project: (map: ConfigMap) => map.metadata.uid },
      { client, clock, random: Math.random, log: silentLog(), pageSize: 2 },
    );
    await informer.synced();
    assert.equal(informer.size, 5);
    for (const key of keys.slice(5)) await make(key);
    const [first, second] = keys;
    assert.ok(first && second);
    await client.delete(core.configMaps, first);
    const before = informer.find('bakery/seen-1');
    await client.delete(core.configMaps, second);
    await make(second);
    await until(async () => informer.size === 6 && informer.find('bakery/seen-1') !== before);
    assert.equal(informer.find('bakery/seen-0'), undefined);
  });
});

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 2400; look += 1) {
    if (await done()) return;
    await clock.sleep(50);
  }
  throw new Error('it did not happen within 2 minutes');
}
