import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { idOf } from '../format/object-id.ts';
import { aheadStore, planAhead } from './ahead-store.ts';
import { memoryStore } from './memory-store.ts';
import { metricsStore, storeCounters } from './metrics-store.ts';
import type { ObjectStore } from './object-store.ts';
import { unavailable } from './store-error.ts';
import { instantClock } from './testing/instant-clock.ts';
import { describeStore } from './testing/store-suite.ts';

describeStore('memory, fetched ahead', async () => {
  const objects = new Map<string, Buffer>();
  const again = () => aheadStore(memoryStore(objects, { pageObjects: 10 }), ['index/', 'data/']);
  return { store: again(), again, [Symbol.asyncDispose]: async () => {} };
});

const bytes = Buffer.from('an index');
const name = `index/${idOf(bytes)}`;

/** A store that has one index, and is counted. */
async function oneIndex() {
  const store = memoryStore(new Map());
  await store.put(name, bytes);
  await store.put('index/of-another-name', bytes);
  const counters = storeCounters();
  return { store: metricsStore(store, counters.observe, instantClock()), gets: () => counters.read().requests.get };
}

/** Until all that was begun has come. */
const settled = () => new Promise<void>((resolve) => void setImmediate(resolve));

describe('what is fetched ahead', () => {
  it('is not asked for again', async () => {
    const { store, gets } = await oneIndex();
    const ahead = aheadStore(store, ['index/']);
    await settled();
    assert.equal(gets(), 1);
    assert.deepEqual(await ahead.get(name), bytes);
    assert.equal(gets(), 1);
  });

  it('is given out once, so that whoever finds it damaged gets it anew', async () => {
    const { store, gets } = await oneIndex();
    const ahead = aheadStore(store, ['index/']);
    await settled();
    await ahead.get(name);
    assert.deepEqual(await ahead.get(name), bytes);
    assert.equal(gets(), 2);
  });

  it('is asked for again when it did not come', async () => {
    const { store } = await oneIndex();
    let failures = 1;
    const failing: ObjectStore = {
      ...store,
      async get(...asked) {
        if (failures-- > 0) throw unavailable('injected: lost', name);
        return await store.get(...asked);
      },
    };
    const ahead = aheadStore(failing, ['index/']);
    await settled();
    assert.deepEqual(await ahead.get(name), bytes);
  });

  it('is not listed once it is deleted', async () => {
    const { store } = await oneIndex();
    const ahead = aheadStore(store, ['index/']);
    await settled();
    await store.remove(name);
    const listed = await Array.fromAsync(ahead.list('index/'), (object) => object.name);
    assert.deepEqual(listed, ['index/of-another-name']);
  });

  it('is a bounded number of bytes and objects', () => {
    const objects = (count: number, sizeBytes: number) =>
      Array.from({ length: count }, (_, at) => ({ name: `index/${at}`, sizeBytes, modifiedAt: new Date(0) }));
    assert.equal(planAhead(objects(100, 10)).length, 16);
    assert.equal(planAhead(objects(100, 3 * 2 ** 20)).length, 2);
    assert.equal(planAhead([]).length, 0);
  });
});
