import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { AnyObject, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { manualClock } from '../../../kube/clock.ts';
import { fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { faulty } from '../../../kube/fake/faulty.ts';
import { anyOf, configMap } from '../testing/sample-objects.ts';
import { applyObjects, identityOfServiceAccount } from './apply-objects.ts';

const configMaps: Resource = anyOf(core.configMaps);
const named = (name: string, key: string): AnyObject => ({
  ...configMap('db', { key }),
  metadata: { name, namespace: 'db' },
});

it('sees many objects of a kind at once, and each for what it is', async () => {
  const clock = manualClock();
  const client = faulty(fakeApiServer({ clock }).client());
  await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
  const resultsOf = async (objects: readonly AnyObject[]) => {
    const identity = identityOfServiceAccount('stork-system/stork-peer');
    const migration = { namespace: 'db', name: 'm', time: '2026-01-01T00:00:00Z' };
    const grant = { namespaces: ['db'], clusterScopedKinds: [] };
    const applied = await applyObjects({ client, clock, identity }, { objects, pairId: 'p', migration, grant });
    return applied.map(({ result }) => result);
  };
  const names = Array.from({ length: 20 }, (_, index) => `settings-${index}`);
  assert.deepEqual(new Set(await resultsOf(names.map((name) => named(name, 'a')))), new Set(['Created']));
  await client.create(configMaps, named('theirs', 'theirs'));
  await client.delete(configMaps, { namespace: 'db', name: 'settings-1' });
  const written = client.writeCount;
  const [theirs, changed, lost, ...others] = await resultsOf([
    named('theirs', 'a'),
    named('settings-0', 'b'),
    ...names.slice(1).map((name) => named(name, 'a')),
  ]);
  assert.deepEqual([theirs, changed, lost, ...new Set(others)], ['Conflict', 'Updated', 'Created', 'Unchanged']);
  assert.equal(client.writeCount - written, 2, 'what is as it should be is not written');
});
