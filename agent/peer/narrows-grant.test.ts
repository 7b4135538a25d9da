import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { narrowsGrant } from './narrows-grant.ts';
import type { PeerGrant } from './peer.ts';

const grant: PeerGrant = {
  namespaces: ['shop', 'web'],
  directions: ['Receive', 'Send'],
  clusterScopedKinds: ['PriorityClass.scheduling.k8s.io'],
  serviceAccount: 'stork-peer',
};

describe('an edited grant', () => {
  const cases: readonly (readonly [string, Partial<PeerGrant>, Partial<PeerGrant>, 'Yes' | 'No'])[] = [
    ['stays as it is', {}, {}, 'No'],
    ['in another order', {}, { namespaces: ['web', 'shop'] }, 'No'],
    ['with one namespace more', {}, { namespaces: ['shop', 'web', 'db'] }, 'No'],
    ['with all namespaces', {}, { namespaces: ['*'] }, 'No'],
    ['without a namespace', {}, { namespaces: ['shop'] }, 'Yes'],
    ['with names in place of all', { namespaces: ['*'] }, { namespaces: ['shop', 'web'] }, 'Yes'],
    ['all but a system namespace', { namespaces: ['*', 'kube-system'] }, { namespaces: ['*'] }, 'Yes'],
    ['without a direction', {}, { directions: ['Send'] }, 'Yes'],
    ['without a kind', {}, { clusterScopedKinds: [] }, 'Yes'],
    ['with another account', {}, { serviceAccount: 'other' }, 'Yes'],
  ];
  for (const [what, before, now, expected] of cases)
    it(`${what}: narrower ${expected}`, () =>
      assert.equal(narrowsGrant({ ...grant, ...before }, { ...grant, ...now }), expected));
});
