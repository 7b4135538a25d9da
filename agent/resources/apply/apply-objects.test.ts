import assert from 'node:assert/strict';
import { it } from 'node:test';
import { core } from '../../../kube/client/core.ts';
import { manualClock, systemClock } from '../../../kube/clock.ts';
import { ApiError } from '../../../kube/errors.ts';
import { fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { faulty } from '../../../kube/fake/faulty.ts';
import { configMap } from '../testing/sample-objects.ts';
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

it('makes an object also where a server takes no version of what is absent, after one more look', async () => {
  const clock = systemClock();
  const client = faulty(fakeApiServer({ clock }).client());
  await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
  client.next('apply', new ApiError({ code: 409, reason: 'Conflict', message: 'no such object' }, 'configmaps'));
  const [applied] = await applyObjects(
    {
      ...{ client, clock, identity: identityOfServiceAccount('stork-system/stork-peer') },
      limits: { parallelObjects: 1, attempts: 2, pauseMs: 1 },
    },
    {
      objects: [configMap('db')],
      pairId: 'pair-1',
      migration: { namespace: 'db', name: 'm', time: '2026-01-01T00:00:00Z' },
      grant: { namespaces: ['*'], clusterScopedKinds: [] },
    },
  );
  assert.equal(applied?.result, 'Created', String(applied?.reason));
});
