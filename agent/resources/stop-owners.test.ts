import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OwnerReference } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { storkNames } from './names.ts';
import { stopOwners } from './stop-owners.ts';

const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } };
const spec = { replicas: 2, selector: { matchLabels: { app: 'a' } }, template };
const ownedBy = (kind: string, name: string): OwnerReference[] => [
  { apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true },
];

function aNamespace() {
  const server = fakeApiServer({ clock: manualClock() });
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
  return server.client();
}

describe('stopping the owners of pods', () => {
  it('stops the Deployment above, once, and leaves the rest of the namespace running', async () => {
    const client = aNamespace();
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
    const { failures } = await stopOwners(aNamespace(), { namespace: 'shop', names: ['alone'] });
    assert.deepEqual(failures, ['pod shop/alone belongs to no workload; delete it yourself']);
  });
});
