import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { migrations } from '../../../crds/v1alpha1/index.ts';
import { silentLog } from '../../../kube/log.ts';
import type { EventFacts } from '../../../kube/runtime/events.ts';
import { runMachine } from '../../../kube/runtime/run-machine.ts';
import { at } from '../../resources/fields.ts';
import { migrationMachine } from '../source/migration-machine.ts';
import { aDatabase, anApplication, leftovers } from '../testing/an-application.ts';
import { aConfigMap, aDeployment, aJob, aNamespace, aStatefulSet, change, look, put } from '../testing/objects.ts';
import { agentNamespace, restartAgent, type Side, type TwoClusters } from '../testing/two-clusters.ts';

const set = aStatefulSet('db', 3);
const web = aDeployment('web', 2);

let world: TwoClusters;
beforeEach(async () => {
  world = await anApplication();
  await put(world.a, set, web, aJob('report'), aConfigMap('settings'));
});

const replicas = async (side: Side) =>
  Promise.all([set, web].map(async (object) => at(await look(side, object), ['spec', 'replicas'])));

const annotation = async (side: Side) => {
  const found = await look(side, set);
  return found?.metadata.annotations?.['stork.libopenstorage.org/migrationReplicas'];
};

async function migrate(from: Side, name: string, spec: Parameters<TwoClusters['migrate']>[2] = {}) {
  await world.migrate(from, name, spec);
  const status = await world.finish(from, name);
  assert.equal(status.status, 'Successful', status.reason ?? '');
  return status;
}

describe('an application between two clusters', () => {
  it('M1: Deployment, StatefulSet and, opted in, Job are there, the claim Bound, the data equal', async () => {
    await migrate(world.a, 'first', { includeOptionalResourceTypes: ['Job'] });
    for (const object of [set, web, aJob('report'), aConfigMap('settings')])
      assert.notEqual(await look(world.b, object), undefined, object.kind);
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'db' } };
    assert.equal(at(await look(world.b, claim), ['status', 'phase']), 'Bound');
    assert.equal(world.b.world.contentOf('db', 'data'), 'one');
    assert.deepEqual(leftovers(world), []);
  });

  it('M2: without startApplications replicas are 0 with the count remembered; activation brings it back', async () => {
    await migrate(world.a, 'first');
    assert.deepEqual(await replicas(world.b), [0, 0]);
    assert.equal(await annotation(world.b), '3');
    const told = await world.b.destination.activate(world.b.client, { namespaces: ['db'] });
    assert.deepEqual(told.failures, []);
    assert.ok(told.messages.includes('Updated replicas for statefulset db/db to 3'));
    assert.deepEqual(await replicas(world.b), [3, 2]);
    assert.deepEqual(await replicas(world.a), [3, 2], 'the source is left as it was');
  });

  it('M2: startApplications starts them at the end', async () => {
    const status = await migrate(world.a, 'first', { startApplications: true });
    assert.deepEqual(await replicas(world.b), [3, 2]);
    assert.match(status.activeSide ?? '', /both sides run/);
  });

  it('M2: startApplications starts what this migration takes along, not what another left at rest', async () => {
    await migrate(world.a, 'first');
    await migrate(world.a, 'second', { startApplications: true, includeVolumes: false, selectors: { app: 'web' } });
    assert.deepEqual(await replicas(world.b), [0, 2]);
  });

  it('M3: a reverse migration after activation carries the counts and the data of the other side', async () => {
    await migrate(world.a, 'there');
    await world.b.destination.activate(world.b.client, { namespaces: ['db'] });
    await world.b.world.write('db', 'data', 'worked on b');
    await change(world.b, set, { spec: { replicas: 5 } });
    // The source side stood still meanwhile, as after a failover.
    for (const object of [set, web]) await change(world.a, object, { spec: { replicas: 0 } });
    await migrate(world.b, 'back');
    assert.equal(world.a.world.contentOf('db', 'data'), 'worked on b');
    assert.deepEqual(await replicas(world.a), [0, 0]);
    await world.a.destination.activate(world.a.client, { namespaces: ['db'] });
    assert.deepEqual(await replicas(world.a), [5, 2]);
  });

  it("M4: a namespace other than its own is refused outside the agent's namespace, with an event", async () => {
    await world.migrate(world.a, 'first', { namespaces: ['db', 'other'] });
    const events: EventFacts[] = [];
    const machine = migrationMachine(world.a.source);
    const environment = { client: world.a.client, clock: world.clock, log: silentLog() };
    const run = runMachine(machine, { ...environment, events: { record: (event) => void events.push(event) } });
    for (let turns = 0; turns < 4; turns += 1) await run('db/first', new AbortController().signal);
    const { status } = await world.a.client.get(migrations, { namespace: 'db', name: 'first' });
    assert.equal(status?.status, 'Failed');
    assert.match(status?.reason ?? '', /can only migrate that namespace, not other/);
    const told = events.find(({ type }) => type === 'Warning');
    assert.match(told?.message ?? '', /can only migrate that namespace, not other/);
    assert.equal(await look(world.b, set), undefined);
  });

  for (const killed of ['a', 'b'] as const)
    it(`M17: is still Successful when the agent of the ${killed === 'a' ? 'source' : 'destination'} dies midway`, async () => {
      for (const [index, at] of [2, 5, 8].entries()) {
        world = await anApplication();
        await put(world.a, set, web);
        await world.migrate(world.a, 'first', {});
        world[killed].agent.dieAtWrite(at, index % 2 === 0 ? 'Before' : 'After');
        for (let turns = 0; turns < 6; turns += 1) await world.turn(world.a, 'first');
        restartAgent(world[killed]);
        const status = await world.finish(world.a, 'first');
        assert.equal(status.status, 'Successful', `write ${at}: ${status.reason}`);
        assert.equal(world.b.world.contentOf('db', 'data'), 'one');
        assert.deepEqual(await replicas(world.b), [0, 0]);
        assert.deepEqual(leftovers(world), []);
      }
    });

  it('M18: many namespaces at once', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `tenant-${index}`);
    for (const namespace of names) {
      await put(world.a, aNamespace(namespace), aConfigMap('settings', { namespace }));
      await world.migrate(world.a, `${agentNamespace}/${namespace}`, { namespaces: [namespace] });
    }
    await migrate(world.a, `${agentNamespace}/all`, { namespaces: names });
    for (const namespace of names) {
      const status = await world.finish(world.a, `${agentNamespace}/${namespace}`);
      assert.equal(status.status, 'Successful', status.reason ?? '');
      assert.notEqual(await look(world.b, aConfigMap('settings', { namespace })), undefined);
    }
  });
});

describe('volumes of several claims', () => {
  it('M1: all arrive, and are counted', async () => {
    await aDatabase(world.a, 'wal', 'log');
    const status = await migrate(world.a, 'first');
    assert.equal(status.summary?.volumes, '2/2');
    assert.equal(world.b.world.contentOf('db', 'wal'), 'log');
  });
});
