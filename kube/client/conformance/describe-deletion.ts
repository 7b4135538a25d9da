/** Deletion: preconditions, finalizers, pods that a node may still run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../core.ts';
import { type MakeWorld, refusalOf, setStage } from './conformance-world.ts';

export function describeDeletion(makeWorld: MakeWorld): void {
  describe('deletion', () => {
    const stage = setStage(makeWorld);

    it('leaves nothing of an object without finalizers, and nothing the second time', async () => {
      const { client, configMap } = stage();
      const { metadata } = await client.create(core.configMaps, configMap('gone'));
      assert.equal(await client.delete(core.configMaps, metadata), undefined);
      assert.equal(await client.find(core.configMaps, metadata), undefined);
      assert.equal(await client.delete(core.configMaps, metadata), undefined);
    });

    it('deletes only the uid and resourceVersion it was given', async () => {
      const { client, configMap } = stage();
      const { metadata } = await client.create(core.configMaps, configMap('precondition'));
      assert.equal((await refusalOf(client.delete(core.configMaps, metadata, { uid: 'another' }))).code, 'Conflict');
      const stale = client.delete(core.configMaps, metadata, { resourceVersion: '1' });
      assert.equal((await refusalOf(stale)).code, 'Conflict');
      assert.notEqual(await client.find(core.configMaps, metadata), undefined);
      const { uid, resourceVersion } = metadata;
      assert.equal(await client.delete(core.configMaps, metadata, { uid, resourceVersion }), undefined);
    });

    it('keeps an object with finalizers until the last is removed', async () => {
      const { client, configMap } = stage();
      const finalizers = ['stork.test/one', 'stork.test/two'];
      const { metadata } = await client.create(
        core.configMaps,
        configMap('held', { metadata: { name: '', finalizers } }),
      );
      const left = await client.delete(core.configMaps, metadata);
      assert.notEqual(left?.metadata.deletionTimestamp, undefined);
      const again = await client.delete(core.configMaps, metadata);
      assert.equal(again?.metadata.resourceVersion, left?.metadata.resourceVersion);
      const one = [{ op: 'replace', path: '/metadata/finalizers', value: ['stork.test/two'] }] as const;
      const half = await client.patch(core.configMaps, metadata, { type: 'json', body: one });
      assert.deepEqual(half.metadata.finalizers, ['stork.test/two']);
      const none = [{ op: 'remove', path: '/metadata/finalizers' }] as const;
      await client.patch(core.configMaps, metadata, { type: 'json', body: none });
      assert.equal(await client.find(core.configMaps, metadata), undefined);
    });

    it('refuses new finalizers on an object that is being deleted', async () => {
      const { client, configMap } = stage();
      const object = configMap('late', { metadata: { name: '', finalizers: ['stork.test/one'] } });
      const { metadata } = await client.create(core.configMaps, object);
      await client.delete(core.configMaps, metadata);
      const body = { metadata: { finalizers: ['stork.test/one', 'stork.test/two'] } };
      const refusal = await refusalOf(client.patch(core.configMaps, metadata, { type: 'merge', body }));
      assert.deepEqual([refusal.code, refusal.status.details?.causes?.[0]?.field], ['Invalid', 'metadata.finalizers']);
      await client.patch(core.configMaps, metadata, { type: 'merge', body: { metadata: { finalizers: null } } });
    });

    it('marks a deletion in generation', async () => {
      const { client, deployment } = stage();
      const object = deployment('deleting');
      const held = { ...object, metadata: { ...object.metadata, finalizers: ['stork.test/one'] } };
      const { metadata } = await client.create(core.deployments, held);
      const left = await client.delete(core.deployments, metadata);
      assert.deepEqual([left?.metadata.generation, left?.metadata.deletionTimestamp === undefined], [2, false]);
      await client.patch(core.deployments, metadata, { type: 'merge', body: { metadata: { finalizers: null } } });
    });

    it('deletes a pod without a node at once, one with a node when the kubelet confirms', async () => {
      const { client, pod } = stage();
      const unscheduled = await client.create(core.pods, pod('unscheduled'));
      assert.equal(unscheduled.status?.phase, 'Pending');
      assert.equal(await client.delete(core.pods, unscheduled.metadata), undefined);
      assert.equal(await client.find(core.pods, unscheduled.metadata), undefined);
      const running = await client.create(core.pods, pod('running', 'node-1'));
      const left = await client.delete(core.pods, running.metadata);
      assert.notEqual(left?.metadata.deletionTimestamp, undefined);
      assert.notEqual(await client.find(core.pods, running.metadata), undefined);
      assert.equal(await client.delete(core.pods, running.metadata, { gracePeriodSeconds: 0 }), undefined);
      assert.equal(await client.find(core.pods, running.metadata), undefined);
    });

    it('deletes a pod that has ended at once', async () => {
      const { client, pod } = stage();
      const made = await client.create(core.pods, pod('ended', 'node-1'));
      const body = { status: { phase: 'Succeeded' } };
      await client.patch(core.pods, made.metadata, { type: 'merge', body }, { subresource: 'status' });
      assert.equal(await client.delete(core.pods, made.metadata), undefined);
    });

    it('accepts nothing new in a namespace that is being deleted', async () => {
      const { client } = stage();
      const namespace = await client.create(core.namespaces, {
        ...{ apiVersion: 'v1', kind: 'Namespace' },
        metadata: { name: '', generateName: 'conformance-' },
      });
      const { name } = namespace.metadata;
      const held = {
        ...{ apiVersion: 'v1', kind: 'ConfigMap' },
        metadata: { name: 'held', namespace: name, finalizers: ['stork.test/one'] },
      };
      await client.create(core.configMaps, held);
      const left = await client.delete(core.namespaces, { name });
      assert.deepEqual([left?.status?.phase, left?.metadata.deletionTimestamp === undefined], ['Terminating', false]);
      const late = { ...{ apiVersion: 'v1', kind: 'ConfigMap' }, metadata: { name: 'late', namespace: name } };
      const refusal = await refusalOf(client.create(core.configMaps, late));
      assert.deepEqual([refusal.code, /because it is being terminated/.test(refusal.message)], ['Forbidden', true]);
      await client.patch(
        core.configMaps,
        { namespace: name, name: 'held' },
        { type: 'merge', body: { metadata: { finalizers: null } } },
      );
    });
  });
}
