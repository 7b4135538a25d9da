import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { aDatabase, synced, turnUntil } from './testing/an-application.ts';

const claim = { namespace: 'db', name: 'data' };

describe('a claim that has grown at the source', () => {
  it('M11: grows on the destination before it is updated', async () => {
    const world = await synced();
    const { a, b } = world;
    const grow = async (side: typeof a) => {
      const { spec } = await side.client.get(core.persistentVolumeClaims, claim);
      const capacity = { storage: '2Gi' };
      const volume = { name: spec?.volumeName ?? '' };
      await side.client.patch(core.persistentVolumes, volume, { type: 'merge', body: { spec: { capacity } } });
      const status = { type: 'merge', body: { status: { capacity } } } as const;
      await side.client.patch(core.persistentVolumeClaims, claim, status, { subresource: 'status' });
    };
    await grow(a);
    await b.client.patch(
      core.storageClasses,
      { name: 'fast' },
      { type: 'merge', body: { allowVolumeExpansion: true } },
    );
    await world.migrate(a, 'second', {});
    const grown = () => [...b.world.storage.volumes.values()].some(({ sizeBytes }) => sizeBytes === 2n << 30n);
    await turnUntil(world, 'second', grown);
    assert.equal(b.world.jobs.running.size, 0);
    await grow(b);
    const status = await world.finish(a, 'second');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(b.world.contentOf('db', 'data'), 'two');
  });
});

describe('a pod with an old and a new claim', () => {
  it('gets the new volume where the old one can be mounted', async () => {
    const world = await synced();
    await aDatabase(world.a, 'logs');
    const volumes = ['data', 'logs'].map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
    world.a.server.seed(core.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'db-0', namespace: 'db' },
      spec: { containers: [{ name: 'db' }], nodeName: 'n1', volumes },
      status: { phase: 'Running' },
    });
    const old = await world.b.client.get(core.persistentVolumeClaims, claim);
    const nodeSelectorTerms = [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['b2'] }] }];
    const body = { spec: { nodeAffinity: { required: { nodeSelectorTerms } } } };
    await world.b.client.patch(core.persistentVolumes, { name: old.spec?.volumeName ?? '' }, { type: 'merge', body });
    await world.migrate(world.a, 'second', {});
    const fresh = () =>
      [...world.b.world.jobs.running.values()].find(({ request }) => request.volumes[0]?.name === 'logs');
    await turnUntil(world, 'second', () => fresh() !== undefined);
    assert.deepEqual(fresh()?.request.placement?.affinity, {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
    });
    assert.equal((await world.finish(world.a, 'second')).status, 'Successful');
  });
});
