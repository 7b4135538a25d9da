/** What kube/fake's collector claims of a cluster's controllers, seen on a real one. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeClient, ObjectMeta, OwnerReference } from '../../kube/client/client.ts';
import { type ConfigMap, core } from '../../kube/client/core.ts';
import { aNamespace, connect, until } from './connect.ts';

describe('the controllers of a real cluster', { concurrency: true }, () => {
  let client: KubeClient;
  let namespace: Awaited<ReturnType<typeof aNamespace>>;
  before(async () => {
    client = await connect('a');
    namespace = await aNamespace(client, 'controllers-');
  });
  after(async () => {
    await namespace[Symbol.asyncDispose]();
    client.close();
  });
  const made = (name: string, metadata: Partial<ObjectMeta> = {}) =>
    client.create(core.configMaps, {
      ...{ apiVersion: 'v1', kind: 'ConfigMap' },
      metadata: { namespace: namespace.name, ...metadata, name },
    });
  const ownedBy = (owner: ConfigMap, more: Partial<OwnerReference> = {}): OwnerReference => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', name: owner.metadata.name, uid: owner.metadata.uid ?? '' },
    ...more,
  });
  const isGone = async (object: ConfigMap) => (await client.find(core.configMaps, object.metadata)) === undefined;
  const release = (object: ConfigMap) =>
    client.patch(core.configMaps, object.metadata, { type: 'merge', body: { metadata: { finalizers: null } } });

  it('remove dependents of a removed owner', async () => {
    const owner = await made('g-owner');
    const child = await made('g-child', { ownerReferences: [ownedBy(owner)] });
    await client.delete(core.configMaps, owner.metadata);
    await until('the child is gone', () => isGone(child));
  });

  it('go by uid', async () => {
    const owner = await made('u-owner');
    const child = await made('u-child', { ownerReferences: [ownedBy(owner, { uid: 'somebody-else' })] });
    await until('the child is gone', () => isGone(child));
    assert.equal(await isGone(owner), false);
  });

  it('orphan when asked to', async () => {
    const owner = await made('o-owner');
    const child = await made('o-child', { ownerReferences: [ownedBy(owner)] });
    await client.delete(core.configMaps, owner.metadata, { propagation: 'Orphan' });
    await until('the owner is gone', () => isGone(owner));
    assert.equal((await client.get(core.configMaps, child.metadata)).metadata.ownerReferences, undefined);
  });

  it('wait for blocking dependents in the foreground', async () => {
    const owner = await made('f-owner');
    const ownerReferences = [ownedBy(owner, { blockOwnerDeletion: true })];
    const child = await made('f-child', { ownerReferences, finalizers: ['stork.test/hold'] });
    const left = await client.delete(core.configMaps, owner.metadata, { propagation: 'Foreground' });
    assert.deepEqual(left?.metadata.finalizers, ['foregroundDeletion']);
    const deleting = async () => (await client.get(core.configMaps, child.metadata)).metadata.deletionTimestamp;
    await until('the child is being deleted', deleting);
    assert.equal(await isGone(owner), false);
    await release(child);
    await until('the owner is gone', () => isGone(owner));
  });

  it('empty a namespace before they remove it', async () => {
    const inner = await aNamespace(client, 'controllers-inner-');
    const held = await made('held', { namespace: inner.name, finalizers: ['stork.test/hold'] });
    const free = await made('free', { namespace: inner.name });
    const left = await client.delete(core.namespaces, { name: inner.name });
    assert.equal(left?.status?.phase, 'Terminating');
    await until('what is free is gone', () => isGone(free));
    assert.notEqual(await client.find(core.namespaces, { name: inner.name }), undefined);
    await release(held);
    await inner[Symbol.asyncDispose]();
  });

  it('keep a deleted claim until no pod uses it', async () => {
    const metadata = { name: 'data', namespace: namespace.name };
    const claim = await client.create(core.persistentVolumeClaims, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata },
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'no-such',
        resources: { requests: { storage: '1Gi' } },
      },
    });
    assert.deepEqual(claim.metadata.finalizers, ['kubernetes.io/pvc-protection']);
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    const pod = await client.create(core.pods, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'user' } },
      spec: { nodeName: 'nowhere', containers: [{ name: 'main', image: 'x' }], volumes },
    });
    const left = await client.delete(core.persistentVolumeClaims, metadata);
    assert.notEqual(left?.metadata.deletionTimestamp, undefined);
    await client.delete(core.pods, pod.metadata, { gracePeriodSeconds: 0 });
    await until(
      'the claim is gone',
      async () => (await client.find(core.persistentVolumeClaims, metadata)) === undefined,
    );
  });
});
