import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { asOfStore } from './as-of-store.ts';
import { memoryStore } from './memory-store.ts';
import { fails, idOf } from './testing/store-suite.ts';
import { versionedStore } from './testing/versioned-store.ts';
import { describeVersions } from './testing/versions-suite.ts';

describeVersions('memory', async () => {
  const store = versionedStore({ now: () => new Date(), pageObjects: 2 });
  const overwrite = async (name: string, bytes: Uint8Array) => store.overwrite(name, bytes);
  return { store, overwrite, [Symbol.asyncDispose]: async () => {} };
});

const right = Buffer.from('what was saved');
const evil = Buffer.from('evil');
const index = `index/${idOf(right)}`;

async function world() {
  const clock = manualClock();
  const store = versionedStore({ now: () => clock.now(), pageObjects: 2 });
  await store.put('config', right);
  await store.put(index, right);
  await clock.advance(60_000);
  const before = clock.now();
  await clock.advance(60_000);
  return { clock, store, before, past: () => asOfStore(store, before) };
}

const list = async (store: ReturnType<typeof asOfStore>, prefix = '') =>
  (await Array.fromAsync(store.list(prefix))).map(({ name, sizeBytes }) => [name, sizeBytes]);

describe('a store as of a time', () => {
  it('has what was removed or overwritten since, whole and in parts', async () => {
    for (const attack of ['remove', 'overwrite', 'both'] as const) {
      const { store, past } = await world();
      for (const name of ['config', index]) {
        if (attack !== 'remove') store.overwrite(name, evil);
        if (attack !== 'overwrite') await store.remove(name);
        assert.deepEqual(await past().get(name), right);
        assert.deepEqual(await past().get(name, { offset: 5, length: 3 }), right.subarray(5, 8));
        assert.deepEqual(Buffer.concat(await Array.fromAsync(past().read(name))), right);
        assert.equal(await past().sizeOf(name), right.length);
      }
      const both = [
        ['config', right.length],
        [index, right.length],
      ];
      assert.deepEqual(await list(past()), both);
      assert.deepEqual(await list(past(), 'index/'), [both[1]]);
    }
  });

  it('has not what came later, and not what was removed before', async () => {
    const { clock, store, before } = await world();
    await store.remove('config');
    await store.put('later', evil);
    assert.deepEqual(await list(asOfStore(store, clock.now())), [
      [index, right.length],
      ['later', evil.length],
    ]);
    await assert.rejects(asOfStore(store, clock.now()).get('config'), fails('ObjectMissing'));
    await assert.rejects(asOfStore(store, before).get('later'), fails('ObjectMissing'));
    assert.equal(await asOfStore(store, before).sizeOf('later'), undefined);
  });

  it('finds what is named by its digest by its bytes, when it was overwritten or removed by then already', async () => {
    const { clock, store } = await world();
    store.overwrite(index, evil);
    await clock.advance(1000);
    const overwritten = asOfStore(store, clock.now());
    assert.deepEqual(await list(overwritten, 'index/'), [[index, right.length]]);
    assert.deepEqual(await overwritten.get(index), right);
    await store.remove(index);
    await clock.advance(1000);
    const removed = asOfStore(store, clock.now());
    assert.deepEqual(await list(removed, 'index/'), [], 'a restore point that was forgotten stays forgotten');
    assert.deepEqual(await removed.get(index), right, 'whoever asks for it by its digest gets it');
  });

  it('gives what it has when no version is right: readers see that it is damaged', async () => {
    const { clock, store } = await world();
    const name = `index/${idOf(Buffer.from('lost'))}`;
    store.overwrite(name, evil);
    store.overwrite(name, Buffer.from('worse'));
    assert.deepEqual(await asOfStore(store, clock.now()).get(name), Buffer.from('worse'));
  });

  it('is read only', async () => {
    const { past } = await world();
    await assert.rejects(past().put('x', evil), fails('StoreReadOnly'));
    await assert.rejects(past().remove('config'), fails('StoreReadOnly'));
    await assert.rejects(past().removeMany(['config']), fails('StoreReadOnly'));
    await assert.rejects(past().removeLeftovers(new Date()), fails('StoreReadOnly'));
  });

  it('is refused by kinds that keep no versions', () => {
    assert.throws(() => asOfStore(memoryStore(), new Date()), fails('VersionsMissing'));
  });
});
