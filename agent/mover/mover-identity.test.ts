import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityFor, identityOf } from './mover-identity.ts';

const containers = [{ name: 'c' }];

describe('as whom a mover runs that may not be root', () => {
  it('is the pod that uses the volume, with its groups', () => {
    const securityContext = { runAsUser: 1001, runAsGroup: 1002, fsGroup: 1003, supplementalGroups: [4] };
    assert.deepEqual(identityOf({ securityContext, containers }), {
      ...securityContext,
      fsGroupChangePolicy: 'OnRootMismatch',
    });
  });

  it('is its container before the pod', () => {
    const own = [{ name: 'c', securityContext: { runAsUser: 7 } }];
    assert.deepEqual(identityOf({ securityContext: { runAsUser: 1001 }, containers: own }), { runAsUser: 7 });
  });

  it('is nobody when the image says who it is, or nobody uses it', () => {
    assert.deepEqual(identityOf({ containers }), { runAsUser: 65_532 });
    assert.deepEqual(identityOf(undefined), { runAsUser: 65_532 });
  });

  it('is in the group of devices, where it has any, and only in the pod`s groups where it writes', () => {
    const pod = { runAsUser: 1001, fsGroup: 8, fsGroupChangePolicy: 'Always', supplementalGroups: [4] };
    assert.deepEqual(identityFor({ role: 'source', hasDevices: false }, pod), pod);
    assert.deepEqual(identityFor({ role: 'source', hasDevices: true }, { runAsUser: 7 }), {
      runAsUser: 7,
      supplementalGroups: [6],
    });
    assert.deepEqual(identityFor({ role: 'destination', hasDevices: true }, pod), {
      runAsUser: 1001,
      supplementalGroups: [4, 8, 6],
    });
  });
});
