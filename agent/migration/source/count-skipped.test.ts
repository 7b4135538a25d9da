import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countSkipped } from './count-skipped.ts';

const skip = (kind: string, name: string, reason: string, namespace: string | undefined = 'shop') => ({
  ...{ kind, name, reason, namespace },
});

describe('what was left out', () => {
  it('is counted by kind and reason, the most first, with names', () => {
    const counted = countSkipped([
      skip('ConfigMap', 'kube-root-ca.crt', 'every cluster makes its own'),
      skip('ReplicaSet', 'web-2', 'deployment web makes it again'),
      skip('ReplicaSet', 'web-1', 'deployment web makes it again'),
      { kind: 'ClusterRole', name: 'view', reason: 'annotation x', namespace: undefined },
    ]);
    assert.deepEqual(counted, {
      total: 4,
      groups: [
        { kind: 'ReplicaSet', reason: 'deployment web makes it again', count: 2, names: ['shop/web-1', 'shop/web-2'] },
        { kind: 'ClusterRole', reason: 'annotation x', count: 1, names: ['view'] },
        { kind: 'ConfigMap', reason: 'every cluster makes its own', count: 1, names: ['shop/kube-root-ca.crt'] },
      ],
    });
  });

  it('keeps the status small, whatever there is', () => {
    const many = Array.from({ length: 10_000 }, (_, at) => skip('Secret', `s${at}`, `it belongs to pod p${at % 500}`));
    const { total, groups } = countSkipped(many);
    assert.equal(total, 10_000);
    assert.equal(groups.length, 50);
    assert.ok(groups.every(({ count, names }) => count === 20 && names.length === 10));
  });
});
