import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OwnerReference } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { type FakeApiServerOptions, fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { storkNames } from './names.ts';
import { stopOwners } from './stop-owners.ts';
import { anyOf, queueDefinition } from './testing/sample-objects.ts';

const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } };
const spec = { replicas: 2, selector: { matchLabels: { app: 'a' } }, template };
const ownedBy = (kind: string, name: string): OwnerReference[] => [
  { apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true },
];

function aNamespace(authorize?: FakeApiServerOptions['authorize']) {
  const server = fakeApiServer({ clock: manualClock(), authorize });
  const meta = (name: string, ownerReferences: readonly OwnerReference[] = []) => ({
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    ownerReferences,
  });
  server.seed(core.deployments, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: meta('web'), spec });
  server.seed(core.deployments, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: meta('other'), spec });
  const replicaSet = { apiVersion: 'apps/v1', kind: 'ReplicaSet', spec };
  server.seed(core.replicaSets, { ...replicaSet, metadata: meta('web-1', ownedBy('Deployment', 'web')) });
  const pod = { apiVersion: 'v1', kind: 'Pod', spec: template.spec };
  server.seed(core.pods, { ...pod, metadata: meta('web-1-a', ownedBy('ReplicaSet', 'web-1')) });
  server.seed(core.pods, { ...pod, metadata: meta('web-1-b', ownedBy('ReplicaSet', 'web-1')) });
  server.seed(core.pods, { ...pod, metadata: meta('alone') });
  return { client: server.client(), server, pod };
}

describe('stopping the owners of pods', () => {
  it('stops the Deployment above, once, and leaves the rest of the namespace running', async () => {
    const { client } = aNamespace();
    const { messages, failures } = await stopOwners(client, {
      namespace: 'shop',
      names: ['web-1-a', 'web-1-b', 'gone'],
    });
    assert.deepEqual(messages, ['Updated replicas for deployment shop/web to 0']);
    assert.deepEqual(failures, []);
    const web = await client.get(core.deployments, { namespace: 'shop', name: 'web' });
    assert.deepEqual([web.spec?.replicas, web.metadata.annotations?.[storkNames.migrationReplicas]], [0, '2']);
    const other = await client.get(core.deployments, { namespace: 'shop', name: 'other' });
    assert.equal(other.spec?.replicas, 2);
  });

  it('names a pod that belongs to nothing', async () => {
    const { failures } = await stopOwners(aNamespace().client, { namespace: 'shop', names: ['alone'] });
    assert.deepEqual(failures, ['pod shop/alone belongs to no workload; delete it yourself']);
  });

  const queues = anyOf({ group: 'example.com', version: 'v1', plural: 'queues', kind: 'Queue', namespaced: true });
  async function aQueue(authorize?: FakeApiServerOptions['authorize']) {
    const { client, server, pod } = aNamespace(authorize);
    const before = await client.discover();
    await client.create(anyOf(core.customResourceDefinitions), queueDefinition('example.com'));
    const queue = { apiVersion: 'example.com/v1', kind: 'Queue' };
    server.seed(queues, { ...queue, metadata: { namespace: 'shop', name: 'q', uid: 'uid-q' } });
    const ownerReferences = [{ ...queue, name: 'q', uid: 'uid-q', controller: true }];
    server.seed(core.pods, { ...pod, metadata: { name: 'q-0', namespace: 'shop', uid: 'uid-q-0', ownerReferences } });
    return { ...client, discover: async () => before };
  }

  it('knows an owner whose kind was defined less than a minute ago, while discovery is still the old', async () => {
    const { failures } = await stopOwners(await aQueue(), { namespace: 'shop', names: ['q-0'] });
    assert.deepEqual(failures, ["pod shop/q-0 belongs to queue q, which can't be scaled to zero"]);
  });

  it("names an operator's object that it may not read, and goes on", async () => {
    const client = await aQueue(({ resource }) => (resource === 'queues' ? 'Deny' : 'Allow'));
    const { failures, messages } = await stopOwners(client, { namespace: 'shop', names: ['q-0', 'web-1-a'] });
    assert.deepEqual(failures, ["pod shop/q-0 belongs to queue q, which can't be read; stop that yourself"]);
    assert.deepEqual(messages, ['Updated replicas for deployment shop/web to 0']);
  });
});
