/** Lists by pages and selectors; watches. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../core.ts';
import { collect, type MakeWorld, refusalOf, setStage, take } from './conformance-world.ts';

export function describeLists(makeWorld: MakeWorld): void {
  describe('lists', () => {
    const stage = setStage(makeWorld);
    const names = (items: readonly { readonly metadata: { readonly name: string } }[]) =>
      items.map((item) => item.metadata.name);

    it('pages through a list in the order of names, from one moment', async () => {
      const { client, configMap, namespace } = stage();
      for (const name of ['e', 'b', 'd', 'a', 'c']) await client.create(core.configMaps, configMap(name));
      const first = await client.listPage(core.configMaps, { namespace, pageSize: 2 });
      assert.deepEqual(names(first.items), ['a', 'b']);
      await client.create(core.configMaps, configMap('bb'));
      const { continueToken } = first;
      const second = await client.listPage(core.configMaps, { namespace, pageSize: 2, continueToken });
      assert.deepEqual(names(second.items), ['c', 'd']);
      assert.equal(second.resourceVersion, first.resourceVersion);
      const last = await client.listPage(core.configMaps, {
        namespace,
        pageSize: 2,
        continueToken: second.continueToken,
      });
      assert.deepEqual([names(last.items), last.continueToken], [['e'], undefined]);
      assert.deepEqual(names(await collect(client.list(core.configMaps, { namespace, pageSize: 4 }))), [
        'a',
        'b',
        'bb',
        'c',
        'd',
        'e',
      ]);
    });

    it('lists objects that know what they are, in all namespaces unless told', async () => {
      const { client, configMap, namespace } = stage();
      await client.create(core.configMaps, configMap('kind'));
      const all = await collect(client.list(core.configMaps));
      const found = all.find((one) => one.metadata.namespace === namespace && one.metadata.name === 'kind');
      assert.deepEqual([found?.kind, found?.apiVersion, found?.metadata.managedFields], ['ConfigMap', 'v1', undefined]);
    });

    it('selects by labels', async () => {
      const { client, configMap, namespace } = stage();
      const labelled = (name: string, labels: Record<string, string>) =>
        configMap(name, { metadata: { name, labels } });
      await client.create(core.configMaps, labelled('l1', { app: 'db', tier: 'back' }));
      await client.create(core.configMaps, labelled('l2', { app: 'web', tier: 'front' }));
      await client.create(core.configMaps, labelled('l3', { app: 'cache', 'stork.test/x': '' }));
      const cases: readonly (readonly [string, readonly string[]])[] = [
        ['app=db', ['l1']],
        ['app==db,tier=back', ['l1']],
        ['app=db,tier=front', []],
        ['app in (db, web)', ['l1', 'l2']],
        ['app,app notin (db)', ['l2', 'l3']],
        ['app,tier!=back', ['l2', 'l3']],
        ['stork.test/x', ['l3']],
        ['app,!tier', ['l3']],
      ];
      for (const [labelSelector, expected] of cases) {
        const found = await collect(client.list(core.configMaps, { namespace, labelSelector }));
        assert.deepEqual(names(found), expected, labelSelector);
      }
      const wrong = client.listPage(core.configMaps, { namespace, labelSelector: 'a b c' });
      assert.equal((await refusalOf(wrong)).code, 'BadRequest');
    });

    it('selects by the fields that a kind offers, and refuses others', async () => {
      const { client, pod, namespace } = stage();
      await client.create(core.pods, pod('on-1', 'node-1'));
      await client.create(core.pods, pod('on-2', 'node-2'));
      const on = async (fieldSelector: string) =>
        names(await collect(client.list(core.pods, { namespace, fieldSelector })));
      assert.deepEqual(await on('spec.nodeName=node-1'), ['on-1']);
      assert.deepEqual(await on('spec.nodeName!=node-1'), ['on-2']);
      assert.deepEqual(await on('metadata.name=on-2,status.phase=Pending'), ['on-2']);
      const refusal = await refusalOf(client.listPage(core.pods, { namespace, fieldSelector: 'spec.hostname=x' }));
      assert.deepEqual([refusal.code, refusal.status.code], ['BadRequest', 400]);
    });
  });

  describe('watches', () => {
    const stage = setStage(makeWorld);
    const told = (
      events: readonly { readonly type: string; readonly object?: { readonly metadata: { readonly name: string } } }[],
    ) => events.map((event) => `${event.type} ${event.object?.metadata.name}`);

    it('tells what happened after a resourceVersion, in order', async () => {
      const { client, configMap, namespace } = stage();
      const { resourceVersion } = await client.listPage(core.configMaps, { namespace });
      const made = await client.create(core.configMaps, configMap('watched', { data: { a: '1' } }));
      const stop = new AbortController();
      const watch = client.watch(core.configMaps, { namespace, resourceVersion, signal: stop.signal });
      const events = watch[Symbol.asyncIterator]();
      assert.deepEqual(await take(events, 1), [{ type: 'ADDED', object: made }]);
      const changed = await client.replace(core.configMaps, { ...made, data: { a: '2' } });
      assert.deepEqual(await take(events, 1), [{ type: 'MODIFIED', object: changed }]);
      await client.delete(core.configMaps, made.metadata);
      const [gone] = await take(events, 1);
      assert.ok(gone?.type === 'DELETED' && gone.object.data?.a === '2');
      assert.ok(Number(gone.object.metadata.resourceVersion) > Number(changed.metadata.resourceVersion));
      const next = events.next();
      stop.abort(new Error('seen enough'));
      await assert.rejects(next, /seen enough/);
    });

    it('tells of objects that begin and cease to match', async () => {
      const { client, configMap, namespace } = stage();
      const { resourceVersion } = await client.listPage(core.configMaps, { namespace });
      const stop = new AbortController();
      const options = { namespace, labelSelector: 'seen=yes', resourceVersion, signal: stop.signal };
      const events = client.watch(core.configMaps, options)[Symbol.asyncIterator]();
      const { metadata } = await client.create(core.configMaps, configMap('matching'));
      const label = (seen: string | null) =>
        client.patch(core.configMaps, metadata, { type: 'merge', body: { metadata: { labels: { seen } } } });
      await label('yes');
      await label('no');
      await label('yes');
      await client.delete(core.configMaps, metadata);
      assert.deepEqual(told(await take(events, 4)), [
        'ADDED matching',
        'DELETED matching',
        'ADDED matching',
        'DELETED matching',
      ]);
      stop.abort();
      await assert.rejects(events.next());
    });

    it('begins with what is there when asked from 0', async () => {
      const { client, configMap, namespace } = stage();
      await client.create(core.configMaps, configMap('zero'));
      const fieldSelector = 'metadata.name=zero';
      const watch = client.watch(core.configMaps, { namespace, resourceVersion: '0', fieldSelector });
      const events = watch[Symbol.asyncIterator]();
      assert.deepEqual(told(await take(events, 1)), ['ADDED zero']);
      await events.return?.();
    });

    it('ends at once under an aborted signal', async () => {
      const { client, namespace } = stage();
      const signal = AbortSignal.abort(new Error('no'));
      const events = client.watch(core.configMaps, { namespace, resourceVersion: '0', signal })[Symbol.asyncIterator]();
      await assert.rejects(events.next(), /no/);
    });
  });
}
