import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatefulSet } from '../../../kube/client/core.ts';
import { replicasOf } from './gather-consumers.ts';

const set: StatefulSet = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'pg', namespace: 'db' },
  spec: {
    selector: { matchLabels: { app: 'pg' } },
    template: {
      spec: { containers: [{ name: 'pg' }], volumes: [{ name: 's', persistentVolumeClaim: { claimName: 'shared' } }] },
    },
    volumeClaimTemplates: [{ metadata: { name: 'data' } }, { metadata: { name: 'wal' } }],
  },
};

describe('the pods a StatefulSet will have', () => {
  it('mount the claims of their ordinal together, though none runs', () => {
    const claims = ['data-pg-0', 'wal-pg-0', 'data-pg-1', 'wal-pg-1', 'data-pg-x', 'other'];
    assert.deepEqual(
      replicasOf(set, claims).map(({ name, claims: mounted }) => [name, mounted]),
      [
        ['statefulset/pg-0', ['data-pg-0', 'wal-pg-0', 'shared']],
        ['statefulset/pg-1', ['data-pg-1', 'wal-pg-1', 'shared']],
      ],
    );
  });
});
