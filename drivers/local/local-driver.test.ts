import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { driverConformance } from '../conformance/driver-conformance.ts';
import type { DriverWorld } from '../conformance/driver-world.ts';
import type { VolumeRef } from '../driver.ts';
import { localDriver } from './local-driver.ts';

driverConformance({ name: 'local on the fake API server', facets: [], makeWorld: async () => localWorld() });

describe('local driver', () => {
  it('names the one node that holds a volume', async () => {
    const world = localWorld();
    const ref = await world.makeVolume('');
    const fact = (await world.start().driver.inspect([ref])).get(ref.volume);
    assert.deepEqual([fact?.reachableFrom, fact?.replicas], [['n2'], ['n2']]);
  });

  it('owns static local volumes, hostPath and the classes that make them', () => {
    const driver = localDriver({ client: fakeApiServer({ clock: manualClock() }).client() });
    const pv = (spec: object) => ({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'p' }, spec });
    const storageClass = (provisioner: string) => ({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 's' },
      provisioner,
    });
    assert.equal(driver.owns({ pv: pv({ hostPath: { path: '/x' } }) }), true);
    assert.equal(driver.owns({ pv: pv({ local: { path: '/x' } }) }), true);
    assert.equal(driver.owns({ pv: pv({ nfs: { path: '/x' } }) }), false);
    assert.equal(driver.owns({ storageClass: storageClass('rancher.io/local-path') }), true);
    assert.equal(driver.owns({ storageClass: storageClass('ebs.csi.aws.com') }), false);
  });
});

function localWorld(): DriverWorld {
  const server = fakeApiServer({ clock: manualClock() });
  const client = server.client();
  for (const name of ['n1', 'n2'])
    server.seed(core.nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      status: { conditions: [{ type: 'Ready', status: name === 'n1' ? 'Unknown' : 'True' }] },
    });
  let made = 0;
  const seed = (sizeBytes: bigint): VolumeRef => {
    made += 1;
    const claim = { namespace: 'default', name: `claim-${made}`, uid: `uid-${made}` };
    server.seed(core.persistentVolumes, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `local-${made}` },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: `${sizeBytes}` },
        claimRef: claim,
        local: { path: '/mnt/x' },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n2'] }] },
            ],
          },
        },
      },
    });
    return { claim, volume: `local-${made}` };
  };
  return {
    readNamespace: 'kube-system',
    start: () => ({
      driver: localDriver({ client: server.client() }),
      dieAtMutation: () => {},
      loseNextReply: () => {},
      hasDied: async () => 'No',
    }),
    makeVolume: async () => seed(2n ** 30n),
    makeHugeVolume: async (sizeBytes) => seed(sizeBytes),
    makeManyVolumes: async (count) => Array.from({ length: count }, () => seed(1n)),
    write: async () => {},
    read: async () => '',
    settle: async () => {},
    persistentVolume: async (ref) => ({ ...(await client.get(core.persistentVolumes, { name: ref.volume })) }),
    countSnapshots: async () => 0,
    [Symbol.asyncDispose]: async () => {},
  };
}
