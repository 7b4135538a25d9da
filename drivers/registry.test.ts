import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../kube/clock.ts';
import { fakeApiServer } from '../kube/fake/fake-api-server.ts';
import { createDriverRegistry } from './registry.ts';

const aVolume = (spec: object) => ({
  pv: { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'p' }, spec },
});
const aClass = (provisioner: string) => ({
  storageClass: { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 's' }, provisioner },
});

describe('driver registry', () => {
  const clock = manualClock();
  const registry = createDriverRegistry({ client: fakeApiServer({ clock }).client(), clock });

  it('finds the driver of a volume, one value per CSI provisioner', () => {
    const one = registry.driverFor(aVolume({ csi: { driver: 'one.example.com', volumeHandle: 'h' } }));
    const two = registry.driverFor(aVolume({ csi: { driver: 'two.example.com', volumeHandle: 'h' } }));
    assert.notEqual(one, undefined);
    assert.notEqual(one, two);
    assert.equal(registry.driverFor(aVolume({ csi: { driver: 'one.example.com', volumeHandle: 'x' } })), one);
    assert.equal(registry.driverFor(aClass('one.example.com')), one);
    assert.equal(registry.driverFor(aVolume({ local: { path: '/x' } }))?.snapshots, undefined);
  });

  it('knows no driver for what nobody owns', () => {
    assert.equal(registry.driverFor(aVolume({ nfs: { path: '/x' } })), undefined);
    assert.equal(registry.driverFor(aClass('kubernetes.io/aws-ebs')), undefined);
    assert.equal(registry.driverFor({}), undefined);
  });
});
