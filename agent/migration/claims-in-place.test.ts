import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { setField } from '../resources/fields.ts';
import { aDatabase, synced, turnUntil } from './testing/an-application.ts';
import { plain } from './testing/an-application-on-plain-storage.ts';
import { aWriter } from './testing/fake-workloads.ts';

const claim = { namespace: 'db', name: 'data' };

describe('a namespace that admits only restricted pods', () => {
  it('gets new volumes, and is refused by name when a mover would have to run in it', async () => {
    const world = await synced();
    const { a, b } = world;
    const metadata = { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } };
    await b.client.patch(core.namespaces, { name: 'db' }, { type: 'merge', body: { metadata } });
    await world.migrate(a, 'second', {});
    const status = await world.finish(a, 'second');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /label namespace db pod-security.kubernetes.io\/enforce=baseline/);
    await b.client.delete(core.persistentVolumeClaims, claim);
    await b.world.settle();
    await world.migrate(a, 'third', {});
    assert.equal((await world.finish(a, 'third')).status, 'Successful');
  });
});

describe('a volume that is read in its own namespace', () => {
  for (const [level, identity] of [
    ['baseline', undefined],
    ['restricted', { runAsUser: 1001, runAsGroup: 7 }],
  ] as const)
    it(`is read as who the namespace admits (${level})`, async () => {
      const web = aWriter('web', ['files']);
      const securityContext = { runAsUser: 1001, runAsGroup: 7 };
      const world = await plain(setField(web, ['spec', 'template', 'spec', 'securityContext'], securityContext));
      const { a } = world;
      const metadata = { labels: { 'pod-security.kubernetes.io/enforce': level } };
      await a.client.patch(core.namespaces, { name: 'db' }, { type: 'merge', body: { metadata } });
      await world.migrate(a, 'm', {});
      const reading = () => [...a.world.jobs.running.values()].find(({ request }) => request.namespace === 'db');
      await turnUntil(world, 'm', () => reading() !== undefined);
      assert.deepEqual(reading()?.request.identity, identity);
      assert.equal((await world.finish(a, 'm')).status, 'Successful');
    });
});

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
