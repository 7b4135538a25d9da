import assert from 'node:assert/strict';
import { it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { applyObjects, identityOfServiceAccount } from './apply-objects.ts';

it('does not take a cluster-scoped object for one of a granted namespace because it names one', async () => {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  const role = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'reader', namespace: 'db' },
    rules: [],
  };
  const [applied] = await applyObjects(
    { client: server.client(), clock, identity: identityOfServiceAccount('stork-system/stork-peer') },
    {
      objects: [role],
      pairId: 'pair-1',
      migration: { namespace: 'db', name: 'm', time: '2026-01-01T00:00:00Z' },
      grant: { namespaces: ['*'], clusterScopedKinds: [] },
    },
  );
  assert.equal(applied?.result, 'Failed');
  assert.match(applied?.reason ?? '', /cluster-scoped/);
  assert.equal(
    server.objects().some(({ kind }) => kind === 'ClusterRole'),
    false,
  );
});
