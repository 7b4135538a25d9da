/** What the controller manager does in a cluster and the fake does by itself; a bare kube-apiserver doesn't. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeClient, OwnerReference } from '../client/client.ts';
import { type ConfigMap, core } from '../client/core.ts';
import { manualClock } from '../clock.ts';
import { fakeApiServer } from './fake-api-server.ts';

function aServer() {
  const server = fakeApiServer({ clock: manualClock() });
  return { server, client: server.client() };
}

const made = (client: KubeClient, name: string, metadata: Partial<ConfigMap['metadata']> = {}) =>
  client.create(core.configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'default', ...metadata, name },
  });

const ownedBy = (owner: ConfigMap, more: Partial<OwnerReference> = {}): OwnerReference => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', name: owner.metadata.name, uid: owner.metadata.uid ?? '' },
  ...more,
});

const names = (server: ReturnType<typeof fakeApiServer>) =>
  server
    .objects()
    .filter((one) => one.kind === 'ConfigMap')
    .map((one) => one.metadata.name);

describe('garbage collection', () => {
  it('removes dependents of a removed owner, and theirs', async () => {
    const { server, client } = aServer();
    const owner = await made(client, 'owner');
    const child = await made(client, 'child', { ownerReferences: [ownedBy(owner)] });
    await made(client, 'grandchild', { ownerReferences: [ownedBy(child)] });
    await made(client, 'stranger');
    await client.delete(core.configMaps, owner.metadata);
    assert.deepEqual(names(server), ['stranger']);
  });

  it('keeps a dependent while one of its owners lives', async () => {
    const { server, client } = aServer();
    const [one, two] = [await made(client, 'one'), await made(client, 'two')];
    await made(client, 'child', { ownerReferences: [ownedBy(one), ownedBy(two)] });
    await client.delete(core.configMaps, one.metadata);
    assert.deepEqual(names(server), ['two', 'child']);
  });

  it('goes by uid: an owner made again under its name does not count', async () => {
    const { server, client } = aServer();
    const owner = await made(client, 'owner');
    await made(client, 'child', { ownerReferences: [ownedBy(owner, { uid: 'somebody-else' })] });
    assert.deepEqual(names(server), ['owner']);
  });

  it('orphans when asked to', async () => {
    const { server, client } = aServer();
    const owner = await made(client, 'owner');
    const child = await made(client, 'child', { ownerReferences: [ownedBy(owner)] });
    await client.delete(core.configMaps, owner.metadata, { propagation: 'Orphan' });
    assert.deepEqual(names(server), ['child']);
    assert.equal((await client.get(core.configMaps, child.metadata)).metadata.ownerReferences, undefined);
  });

  it('in the foreground, waits for dependents that block', async () => {
    const { server, client } = aServer();
    const owner = await made(client, 'owner');
    const ownerReferences = [ownedBy(owner, { blockOwnerDeletion: true })];
    const child = await made(client, 'child', { ownerReferences, finalizers: ['stork.test/hold'] });
    const left = await client.delete(core.configMaps, owner.metadata, { propagation: 'Foreground' });
    assert.deepEqual(left?.metadata.finalizers, ['foregroundDeletion']);
    assert.deepEqual(names(server), ['owner', 'child']);
    await client.patch(core.configMaps, child.metadata, { type: 'merge', body: { metadata: { finalizers: null } } });
    assert.deepEqual(names(server), []);
  });
});

describe('namespace deletion', () => {
  it('removes what is inside, then the namespace, held up by finalizers', async () => {
    const { server, client } = aServer();
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await made(client, 'free', { namespace: 'shop' });
    const held = await made(client, 'held', { namespace: 'shop', finalizers: ['stork.test/hold'] });
    await client.delete(core.namespaces, { name: 'shop' });
    assert.deepEqual(names(server), ['held']);
    assert.equal((await client.get(core.namespaces, { name: 'shop' })).status?.phase, 'Terminating');
    await client.patch(core.configMaps, held.metadata, { type: 'merge', body: { metadata: { finalizers: null } } });
    assert.equal(await client.find(core.namespaces, { name: 'shop' }), undefined);
  });
});

describe('protection of claims in use', () => {
  it('keeps a deleted claim until no pod uses it', async () => {
    const { client } = aServer();
    const claim = await client.create(core.persistentVolumeClaims, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'default' } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    assert.deepEqual(claim.metadata.finalizers, ['kubernetes.io/pvc-protection']);
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    const pod = await client.create(core.pods, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'db', namespace: 'default' } },
      spec: { containers: [{ name: 'main', image: 'db' }], volumes },
    });
    const left = await client.delete(core.persistentVolumeClaims, claim.metadata);
    assert.notEqual(left?.metadata.deletionTimestamp, undefined);
    await client.delete(core.pods, pod.metadata);
    assert.equal(await client.find(core.persistentVolumeClaims, claim.metadata), undefined);
  });
});
