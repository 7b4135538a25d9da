import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { type ClaimRoom, roomOf } from './grow-claims.ts';

const wanted = 2n << 30n;

const aClaim = (capacity: string, asked: string, ...conditions: readonly string[]): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'db' },
  spec: { resources: { requests: { storage: asked } } },
  status: { capacity: { storage: capacity }, conditions: conditions.map((type) => ({ type, status: 'True' })) },
});

const cases: readonly (readonly [string, PersistentVolumeClaim, ClaimRoom])[] = [
  ['has room', aClaim('2Gi', '2Gi'), 'Enough'],
  ['has more than is asked for', aClaim('2Gi', '1Gi'), 'Enough'],
  ['is too small', aClaim('1Gi', '1Gi'), 'TooSmall'],
  ['grows', aClaim('1Gi', '2Gi', 'Resizing'), 'Growing'],
  ['grows when a pod mounts it', aClaim('1Gi', '2Gi', 'FileSystemResizePending'), 'Enough'],
];

describe('a claim that is updated', () => {
  for (const [name, claim, room] of cases) it(name, () => assert.equal(roomOf(claim, wanted), room));
});
