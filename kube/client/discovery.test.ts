/** Discovery where the server can't aggregate it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { discoverResources, readAggregated } from './discovery.ts';

describe('discovery', () => {
  it('falls back to one request per group and version', async () => {
    const pods = { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['get'], categories: ['all'] };
    const answers: Readonly<Record<string, unknown>> = {
      '/api': { kind: 'APIVersions', versions: ['v1'] },
      '/api/v1': { kind: 'APIResourceList', resources: [pods, { ...pods, name: 'pods/log' }] },
      '/apis': {
        kind: 'APIGroupList',
        groups: [
          { name: 'g.test', versions: [{ version: 'v1' }, { version: 'v2' }], preferredVersion: { version: 'v2' } },
        ],
      },
      '/apis/g.test/v1': { resources: [{ name: 'things', kind: 'Thing', namespaced: false, verbs: ['list'] }] },
      '/apis/g.test/v2': { resources: [] },
    };
    assert.deepEqual(await discoverResources(async (path) => answers[path]), [
      {
        group: '',
        version: 'v1',
        plural: 'pods',
        kind: 'Pod',
        namespaced: true,
        verbs: ['get'],
        categories: ['all'],
        preferred: true,
      },
      {
        group: 'g.test',
        version: 'v1',
        plural: 'things',
        kind: 'Thing',
        namespaced: false,
        verbs: ['list'],
        categories: [],
        preferred: false,
      },
    ]);
  });

  it('reads the aggregated form, the first version being the preferred one', () => {
    const version = (name: string) => ({
      version: name,
      resources: [{ resource: 'things', scope: 'Cluster', verbs: ['get'], responseKind: { kind: 'Thing' } }],
    });
    const items = [{ metadata: { name: 'g.test' }, versions: [version('v2'), version('v1')] }];
    const found = readAggregated({ kind: 'APIGroupDiscoveryList', items });
    assert.deepEqual(
      found.map((one) => [one.version, one.preferred, one.namespaced]),
      [
        ['v2', true, false],
        ['v1', false, false],
      ],
    );
  });
});
