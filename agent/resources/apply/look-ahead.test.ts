import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { AnyObject, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { manualClock } from '../../../kube/clock.ts';
import { fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { faulty } from '../../../kube/fake/faulty.ts';
import { at } from '../fields.ts';
import { anyOf, configMap } from '../testing/sample-objects.ts';
import { applyObjects, identityOfServiceAccount } from './apply-objects.ts';

const configMaps: Resource = anyOf(core.configMaps);
const named = (name: string, key: string): AnyObject => ({
  ...configMap('db', { key }),
  metadata: { name, namespace: 'db' },
});

const asked = (objects: readonly AnyObject[]) => {
  const migration = { namespace: 'db', name: 'm', time: '2026-01-01T00:00:00Z' };
  return { objects, pairId: 'p', migration, grant: { namespaces: ['db'], clusterScopedKinds: [] } };
};

it('takes many for absent when a few are, and looks at those that are there after all', async () => {
  const clock = manualClock();
  const verbs: string[] = [];
  const server = fakeApiServer({ clock });
  const client = faulty(server.client(), (verb, call) => {
    verbs.push(verb);
    return call();
  });
  await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
  await client.create(configMaps, named('settings-41', 'theirs'));
  const identity = identityOfServiceAccount('stork-system/stork-peer');
  const objects = Array.from({ length: 80 }, (_, index) => named(`settings-${index}`, 'a'));
  verbs.length = 0;
  const applied = await applyObjects({ client, clock, identity }, asked(objects));
  const counts = new Map(
    [...Map.groupBy(applied, ({ result }) => result)].map(([result, all]) => [result, all.length]),
  );
  assert.deepEqual(
    counts,
    new Map([
      ['Created', 79],
      ['Conflict', 1],
    ]),
  );
  assert.equal(at(await client.get(configMaps, { namespace: 'db', name: 'settings-41' }), ['data', 'key']), 'theirs');
  const reads = verbs.filter((verb) => verb === 'find' || verb === 'list');
  assert.ok(reads.length < 12, `${reads.length} reads of 80 objects`);
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
