import assert from 'node:assert/strict';
import { it } from 'node:test';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { ApiError } from '../../kube/errors.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { startCluster, startClusterOn } from './test-cluster.ts';

it('a code whose Secret somebody else changes at the same time is not refused: `pair join` binds it too', async () => {
  const server = fakeApiServer({ clock: systemClock() });
  server.serve(clusterPairs);
  const client = server.client();
  let conflicts = 0;
  const racing: KubeClient = {
    ...client,
    patch(resource, key, ...rest) {
      if (resource.kind !== core.secrets.kind || conflicts > 0) return client.patch(resource, key, ...rest);
      conflicts++;
      const message = 'the object has been modified; please apply your changes to the latest version and try again';
      return Promise.reject(new ApiError({ code: 409, reason: 'Conflict', message }, key.name));
    },
  };
  await using a = await startCluster('a');
  await using b = await startClusterOn('b', racing);
  await b.join('to-a', await a.accept('to-b'));
  const joined = await b.until(
    'to-a',
    (pair) => ['True', 'False'].includes(findCondition(pair.status?.conditions, 'Joined')?.status ?? ''),
    'it was presented',
  );
  assert.equal(findCondition(joined.status?.conditions, 'Joined')?.status, 'True');
  assert.equal(conflicts, 1);
});
