import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterPair } from '../../crds/v1alpha1/index.ts';
import { grantOf } from './grant-of.ts';

const aPair = (namespace: string, grant?: ClusterPair['spec']['grant']): ClusterPair => ({
  apiVersion: 'stork.libopenstorage.org/v1alpha1',
  kind: 'ClusterPair',
  metadata: { name: 'west', namespace },
  spec: { grant, join: { codeSecret: 'code' } },
});
const everything = {
  namespaces: ['*', 'kube-system'],
  directions: ['Receive', 'Send'],
  clusterScopedKinds: ['ClusterRole.rbac.authorization.k8s.io'],
  serviceAccount: 'stork-peer',
} as const;

describe("a pair's grant", () => {
  it("is what an admin wrote in the agent's namespace", () =>
    assert.deepEqual(grantOf(aPair('stork-system', everything), 'stork-system'), everything));

  it('elsewhere reaches its own namespace only, and nothing cluster-scoped', () =>
    assert.deepEqual(grantOf(aPair('shop', everything), 'stork-system'), {
      ...everything,
      namespaces: ['shop'],
      clusterScopedKinds: [],
    }));

  it('elsewhere covers nothing when it names only others', () => {
    const grant = { ...everything, namespaces: ['blog'] };
    assert.deepEqual(grantOf(aPair('shop', grant), 'stork-system').namespaces, []);
  });

  it("of Stork's, which has no field for it, leads one way: for its namespace, for all in the agent's", () => {
    const storks = (namespace: string) => grantOf({ ...aPair(namespace), spec: {} }, 'stork-system');
    const { namespaces, directions, clusterScopedKinds } = storks('shop');
    assert.deepEqual([namespaces, directions, clusterScopedKinds], [['shop'], ['Send'], []]);
    assert.deepEqual(storks('stork-system').namespaces, ['*']);
  });

  it('is empty when none was given', () =>
    assert.deepEqual(grantOf(aPair('stork-system'), 'stork-system'), {
      namespaces: [],
      directions: [],
      clusterScopedKinds: [],
      serviceAccount: 'stork-peer',
    }));
});
