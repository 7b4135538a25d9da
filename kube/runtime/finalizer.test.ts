import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConfigMap, core } from '../client/core.ts';
import { manualClock } from '../clock.ts';
import { fakeApiServer } from '../fake/fake-api-server.ts';
import { ensureFinalizer, removeFinalizer } from './finalizer.ts';

const key = { namespace: 'default', name: 'a' };
const finalizer = 'stork.test/a';

async function anObject(finalizers: readonly string[] = []) {
  const client = fakeApiServer({ clock: manualClock() }).client();
  const metadata = { ...key, ...(finalizers.length === 0 ? {} : { finalizers }) };
  const object = await client.create(core.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
  const request = (of: ConfigMap) => ({ client, resource: core.configMaps, object: of, finalizer });
  const finalizersNow = async () => (await client.get(core.configMaps, key)).metadata.finalizers ?? [];
  return { client, object, request, finalizersNow };
}

describe('finalizers', () => {
  it('are added once, beside those of others', async () => {
    for (const others of [[], ['other.test/x']]) {
      const { object, request, finalizersNow } = await anObject(others);
      const held = await ensureFinalizer(request(object));
      assert.ok(held);
      await ensureFinalizer(request(held));
      assert.deepEqual(await finalizersNow(), [...others, finalizer]);
    }
  });

  it('are added also when the object was read before another finalizer came', async () => {
    for (const others of [[], ['other.test/x']]) {
      const { client, object, request, finalizersNow } = await anObject(others);
      const finalizers = [...others, 'other.test/y'];
      await client.patch(core.configMaps, key, { type: 'merge', body: { metadata: { finalizers } } });
      await ensureFinalizer(request(object));
      assert.deepEqual((await finalizersNow()).toSorted(), [...finalizers, finalizer].toSorted());
    }
  });

  it('never removes another’s finalizer when the list shifted meanwhile', async () => {
    const { client, object, request, finalizersNow } = await anObject(['other.test/x', finalizer, 'other.test/y']);
    const finalizers = [finalizer, 'other.test/y'];
    await client.patch(core.configMaps, key, { type: 'merge', body: { metadata: { finalizers } } });
    await removeFinalizer(request(object));
    assert.deepEqual(await finalizersNow(), ['other.test/y']);
  });

  it('let the object go when the last one is removed, and say so', async () => {
    const { client, object, request } = await anObject([finalizer]);
    await client.delete(core.configMaps, key);
    assert.equal(await removeFinalizer(request(object)), undefined);
    assert.equal(await client.find(core.configMaps, key), undefined);
    assert.equal(await removeFinalizer(request(object)), undefined);
  });

  it('are not added to an object that is being deleted or was made anew', async () => {
    const { client, object, request } = await anObject(['other.test/x']);
    await client.delete(core.configMaps, key);
    const deleting = await client.get(core.configMaps, key);
    assert.equal(await ensureFinalizer(request(deleting)), undefined);
    await client.patch(core.configMaps, key, { type: 'merge', body: { metadata: { finalizers: null } } });
    await client.create(core.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: key });
    assert.equal(await ensureFinalizer(request(object)), undefined);
    assert.equal((await client.get(core.configMaps, key)).metadata.finalizers, undefined);
  });
});
