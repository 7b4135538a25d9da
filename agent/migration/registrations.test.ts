import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../crds/schema/index.ts';
import {
  applicationRegistrations,
  type MigrationSpecInput,
  type RegisteredResource,
} from '../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { activateNamespace, deactivateNamespace } from '../resources/activation.ts';
import { storkNames } from '../resources/names.ts';
import { anyOf, queueDefinition } from '../resources/testing/sample-objects.ts';
import { anApplication } from './testing/an-application.ts';
import { type Side, stashKey, type TwoClusters } from './testing/two-clusters.ts';

const crds: Resource = anyOf(core.customResourceDefinitions);
const configMaps: Resource = anyOf(core.configMaps);
const queuesOf = (group: string): Resource => ({
  group,
  version: 'v1',
  plural: 'queues',
  kind: 'Queue',
  namespaced: true,
});

const aQueue = (group: string, spec: Readonly<Record<string, unknown>>): AnyObject => ({
  ...{ apiVersion: `${group}/v1`, kind: 'Queue' },
  metadata: { name: 'q', namespace: 'db' },
  spec,
});

const registered = (group: string, more: Partial<RegisteredResource>): RegisteredResource => ({
  ...{ group, version: 'v1', kind: 'Queue', keepStatus: false },
  ...more,
});

/** The kinds on both sides, with their registrations. */
async function aWorld(...resources: readonly RegisteredResource[]): Promise<TwoClusters> {
  const world = await anApplication();
  for (const { client } of [world.a, world.b]) {
    for (const group of new Set(resources.map((one) => one.group))) await client.create(crds, queueDefinition(group));
    const { apiVersion, kind } = applicationRegistrations;
    const object = { apiVersion, kind, metadata: { name: 'ours' }, resources: [...resources] };
    await client.create(applicationRegistrations, applyDefaults(applicationRegistrations.schema, object));
  }
  return world;
}

async function moved(
  world: TwoClusters,
  name: string,
  from: Side,
  more: Pick<MigrationSpecInput, 'startApplications' | 'selectors'> = {},
) {
  await world.migrate(from, name, { includeVolumes: false, ...more });
  const status = await world.finish(from, name);
  assert.equal(status.status, 'Successful', status.reason ?? '');
  return status;
}

const findQueue = (client: KubeClient, group: string) => client.find(queuesOf(group), { namespace: 'db', name: 'q' });

describe('M15: custom resources of operators', () => {
  it('rest on the destination by what their registrations say, and run after activation', async () => {
    const counted = registered('counted.example.com', {
      suspendOptions: { path: 'spec.members', type: 'int', value: '0' },
    });
    const switched = registered('switched.example.com', {
      suspendOptions: { path: 'spec.paused', type: 'bool', value: 'true' },
      customSuspendOptions: [{ path: 'spec.power.mode', type: 'string', value: 'Off' }],
    });
    const world = await aWorld(counted, switched);
    const { a, b } = world;
    await a.client.create(queuesOf(counted.group), aQueue(counted.group, { members: 3 }));
    await a.client.create(queuesOf(switched.group), aQueue(switched.group, { power: { mode: 'High' } }));
    await moved(world, 'first', a);
    assert.deepEqual((await findQueue(b.client, counted.group))?.spec, { members: 0 });
    assert.deepEqual((await findQueue(b.client, switched.group))?.spec, { paused: true, power: { mode: 'Off' } });

    const stopped = await deactivateNamespace({ client: a.client }, { namespace: 'db', originals: 'Stop' });
    assert.equal(stopped.messages.length, 3, stopped.messages.join());
    assert.deepEqual((await findQueue(a.client, counted.group))?.spec, { members: 0 });
    assert.deepEqual((await findQueue(a.client, switched.group))?.spec, { paused: true, power: { mode: 'Off' } });
    const again = await deactivateNamespace({ client: a.client }, { namespace: 'db', originals: 'Stop' });
    assert.deepEqual([again.messages, again.unchanged], [[], 2]);

    await activateNamespace({ client: b.client }, 'db');
    assert.deepEqual((await findQueue(b.client, counted.group))?.spec, { members: 3 });
    assert.deepEqual((await findQueue(b.client, switched.group))?.spec, { power: { mode: 'High' } });
  });

  it('ends the pods that a suspended operator leaves running', async () => {
    const suspendOptions = { path: 'spec.paused', type: 'bool', value: 'true' } as const;
    const world = await aWorld(registered('pods.example.com', { suspendOptions, podsPath: 'status.members.ready' }));
    const { client, server } = world.a;
    const queue = aQueue('pods.example.com', {});
    await client.create(queuesOf('pods.example.com'), { ...queue, status: { members: { ready: ['q-0', 'gone'] } } });
    for (const name of ['q-0', 'other'])
      server.seed(core.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'db' },
        spec: { containers: [] },
      });
    const { messages } = await deactivateNamespace({ client }, { namespace: 'db', originals: 'Stop' });
    assert.ok(messages.includes('Deleted pod db/q-0 of queue db/q'), messages.join());
    const left = await client.find(core.pods, { namespace: 'db', name: 'q-0' });
    assert.notEqual(left?.metadata.deletionTimestamp ?? 'gone', undefined);
    assert.ok(await client.find(core.pods, { namespace: 'db', name: 'other' }));
  });
});

describe('M16: stashed custom resources', () => {
  const group = 'stashed.example.com';
  const stashing = registered(group, { stashStrategy: { stashCR: true } });
  const activate = ({ client }: Side, clock: TwoClusters['clock']) =>
    activateNamespace({ client, stash: { key: stashKey, clock, mode: 'Make' } }, 'db');
  const stashesOf = async ({ client }: Side): Promise<readonly AnyObject[]> => {
    const found: AnyObject[] = [];
    for await (const one of client.list(configMaps, { namespace: 'db', labelSelector: `${storkNames.stash}=true` }))
      found.push(one);
    return found;
  };
  const change = (side: Side, members: number) =>
    side.client.patch(queuesOf(group), { namespace: 'db', name: 'q' }, { type: 'merge', body: { spec: { members } } });

  it('are only in one ConfigMap however often they come, are made on activation, and return', async () => {
    const world = await aWorld(stashing);
    const { a, b, clock } = world;
    await a.client.create(queuesOf(group), aQueue(group, { members: 3 }));
    const first = await moved(world, 'first', a);
    assert.match(JSON.stringify(first.resources), /queue db\/q is kept until it is activated/);
    const [stash] = await stashesOf(b);
    await change(a, 4);
    await moved(world, 'second', a);
    const [kept, ...others] = await stashesOf(b);
    assert.deepEqual([kept?.metadata.uid, others.length], [stash?.metadata.uid, 0]);
    assert.equal(await findQueue(b.client, group), undefined);

    const activated = await activate(b, clock);
    assert.deepEqual([activated.messages, activated.failures], [['Created queue db/q from its stash'], []]);
    assert.deepEqual((await findQueue(b.client, group))?.spec, { members: 4 });
    await change(b, 5);
    assert.deepEqual((await activate(b, clock)).messages, []);
    assert.deepEqual((await findQueue(b.client, group))?.spec, { members: 5 });

    await a.client.delete(queuesOf(group), { namespace: 'db', name: 'q' });
    await moved(world, 'back', b);
    assert.equal(await findQueue(a.client, group), undefined);
    assert.equal((await stashesOf(a)).length, 1, 'the stash of the way there does not come back');
    await activate(a, clock);
    assert.deepEqual((await findQueue(a.client, group))?.spec, { members: 5 });
  });

  it('are told of again to the Action that made them, when it is run again', async () => {
    const world = await aWorld(stashing);
    const { a, b, clock } = world;
    await a.client.create(queuesOf(group), aQueue(group, { members: 3 }));
    await moved(world, 'first', a);
    const activateFor = async (madeFor: string) =>
      (await activateNamespace({ client: b.client, stash: { key: stashKey, clock, mode: 'Make', madeFor } }, 'db'))
        .messages;
    const created = ['Created queue db/q from its stash'];
    assert.deepEqual(await activateFor('action-1'), created);
    await change(b, 5);
    assert.deepEqual(await activateFor('action-1'), created);
    assert.deepEqual((await findQueue(b.client, group))?.spec, { members: 5 }, 'it is not made again');
    assert.deepEqual(await activateFor('action-2'), []);
  });

  it('come as they are when the migration starts the applications', async () => {
    const world = await aWorld(stashing);
    const { a, b, clock } = world;
    await a.client.create(queuesOf(group), aQueue(group, { members: 3 }));
    await moved(world, 'first', a);
    await change(a, 4);
    await moved(world, 'second', a, { startApplications: true });
    assert.deepEqual((await findQueue(b.client, group))?.spec, { members: 4 });
    await activate(b, clock);
    assert.deepEqual((await findQueue(b.client, group))?.spec, { members: 4 }, 'what was stashed before is settled');
  });

  it('stay stashed when a migration starts only other applications', async () => {
    const world = await aWorld(stashing);
    const { a, b, clock } = world;
    await a.client.create(queuesOf(group), aQueue(group, { members: 3 }));
    await moved(world, 'first', a);
    await moved(world, 'second', a, { startApplications: true, selectors: { app: 'other' } });
    assert.equal(await findQueue(b.client, group), undefined);
    await activate(b, clock);
    assert.deepEqual((await findQueue(b.client, group))?.spec, { members: 3 }, 'it was not counted as made');
  });

  it('are not made from a ConfigMap that somebody else wrote or changed', async () => {
    const world = await aWorld(stashing);
    const { a, b, clock } = world;
    await a.client.create(queuesOf(group), aQueue(group, { members: 3 }));
    await moved(world, 'first', a);
    const [stash] = await stashesOf(b);
    const data = { 'object.json': JSON.stringify(aQueue(group, { members: 99 })) };
    await b.client.patch(
      configMaps,
      { namespace: 'db', name: stash?.metadata.name ?? '' },
      { type: 'merge', body: { data } },
    );
    const labels = { [storkNames.stash]: 'true' };
    await b.client.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'forged', namespace: 'db', labels },
      data,
    });
    const { failures } = await activate(b, clock);
    assert.equal(failures.length, 2);
    assert.match(failures.join(), /was changed since it came; migrate again/);
    assert.equal(await findQueue(b.client, group), undefined);
  });
});
