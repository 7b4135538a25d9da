import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CustomResourceDefinition, core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { createResourceFinder } from './apply/find-resource.ts';
import { collectResources } from './collect/collect-resources.ts';
import { joinDefined } from './defined-kinds.ts';
import { anyOf, queueDefinition } from './testing/sample-objects.ts';

const queue = (version: string) => ({
  ...{ group: 'example.com', version, plural: 'queues', kind: 'Queue', namespaced: true },
});
const served = (version: string, preferred = true) => ({
  ...queue(version),
  verbs: ['list'],
  categories: [],
  preferred,
});

function defining(versions: readonly string[], more: Partial<CustomResourceDefinition> = {}): CustomResourceDefinition {
  return {
    ...{
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'queues.example.com' },
    },
    spec: {
      ...{ group: 'example.com', scope: 'Namespaced', names: { plural: 'queues', kind: 'Queue' } },
      versions: versions.map((name, at) => ({ name, served: true, storage: at === 0 })),
    },
    ...more,
  };
}

const versionsOf = (...asked: Parameters<typeof joinDefined>) => joinDefined(...asked).map(({ version }) => version);

describe('the kinds that a cluster serves', () => {
  it('are those of CRDs that discovery has not seen, too', () => {
    assert.deepEqual(versionsOf([], [defining(['v1'])]), ['v1']);
    assert.deepEqual(versionsOf([served('v1')], [defining(['v1', 'v2'])]), ['v1', 'v2']);
  });

  it('are not the versions that a CRD serves no more', () => {
    assert.deepEqual(versionsOf([served('v1'), served('v2', false)], [defining(['v2'])]), ['v2']);
  });

  it('are not those of a CRD whose names another one has', () => {
    const conditions = [{ type: 'NamesAccepted', status: 'False' }];
    assert.deepEqual(versionsOf([], [defining(['v1'], { status: { conditions } })]), []);
  });

  it('are named when none of them is the one that is wanted', async () => {
    const client = fakeApiServer({ clock: manualClock() }).client();
    const before = await client.discover();
    await client.create(anyOf(core.customResourceDefinitions), queueDefinition('example.com'));
    const finder = createResourceFinder({ ...client, discover: async () => before });
    const found = await finder.find({ apiVersion: 'example.com/v2', kind: 'Queue', metadata: { name: 'q' } });
    assert.match(found.found === 'No' ? found.reason : '', /does not serve example\.com\/v2 Queue; it serves v1/);
  });

  it('objects of a kind that was defined a moment ago are collected', async () => {
    const client = fakeApiServer({ clock: manualClock() }).client();
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
    const before = await client.discover();
    await client.create(anyOf(core.customResourceDefinitions), queueDefinition('example.com'));
    await client.create(queue('v1'), {
      ...{ apiVersion: 'example.com/v1', kind: 'Queue', metadata: { name: 'q', namespace: 'db' } },
    });
    const late = { ...client, discover: async () => before };
    const { objects } = await collectResources({ client: late }, { namespaces: ['db'], registrations: [] });
    assert.ok(objects.some(({ kind }) => kind === 'Queue'));
  });
});
