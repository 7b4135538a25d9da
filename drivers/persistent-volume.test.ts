import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PersistentVolume } from '../kube/client/core.ts';
import { decideReachable, decideReplicas, type NodeRecord } from './persistent-volume.ts';

const nodes: readonly NodeRecord[] = [
  { name: 'n1', ready: 'Yes', labels: { host: 'n1', 'topology.kubernetes.io/zone': 'a', disks: '4' } },
  { name: 'n2', ready: 'Yes', labels: { host: 'n2', 'topology.kubernetes.io/zone': 'b', disks: '8' } },
  { name: 'n3', ready: 'No', labels: { host: 'n3', 'topology.kubernetes.io/zone': 'b' } },
];

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

function aVolume(...terms: readonly (readonly Requirement[])[]): PersistentVolume {
  const nodeSelectorTerms = terms.map((matchExpressions) => ({ matchExpressions }));
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'p' },
    spec: terms.length === 0 ? {} : { nodeAffinity: { required: { nodeSelectorTerms } } },
  };
}

const zone = (...values: string[]) => ({ key: 'topology.kubernetes.io/zone', operator: 'In', values });

describe('where a volume can be reached', () => {
  const cases: readonly [string, PersistentVolume, readonly string[] | 'All'][] = [
    ['without affinity from everywhere', aVolume(), 'All'],
    ['by zone', aVolume([zone('b')]), ['n2', 'n3']],
    [
      'by any of several terms',
      aVolume([{ key: 'host', operator: 'In', values: ['n1'] }], [zone('b')]),
      ['n1', 'n2', 'n3'],
    ],
    ['by all requirements of one term', aVolume([zone('b'), { key: 'disks', operator: 'Exists' }]), ['n2']],
    ['by absence', aVolume([{ key: 'disks', operator: 'DoesNotExist' }]), ['n3']],
    ['by exclusion', aVolume([{ key: 'host', operator: 'NotIn', values: ['n1', 'n2'] }]), ['n3']],
    ['by number', aVolume([{ key: 'disks', operator: 'Gt', values: ['5'] }]), ['n2']],
    ['by an empty term from nowhere', aVolume([]), []],
    ['by an operator we do not know from nowhere', aVolume([{ key: 'host', operator: 'Like', values: ['n'] }]), []],
  ];
  for (const [name, pv, expected] of cases)
    it(name, () => {
      assert.deepEqual(decideReachable(pv, nodes), expected);
    });
});

describe('where a volume’s data is', () => {
  it('is the one node that a narrow affinity names', () => {
    const pv = aVolume([{ key: 'topology.hostpath.csi/node', operator: 'In', values: ['n1'] }]);
    assert.deepEqual(decideReplicas(pv, ['n1']), ['n1']);
  });

  it('is unknown for a zone, also when that zone has one node, and for several nodes', () => {
    assert.deepEqual(decideReplicas(aVolume([zone('a')]), ['n1']), []);
    assert.deepEqual(decideReplicas(aVolume([{ key: 'host', operator: 'Exists' }]), ['n1', 'n2']), []);
    assert.deepEqual(decideReplicas(aVolume(), 'All'), []);
  });
});
