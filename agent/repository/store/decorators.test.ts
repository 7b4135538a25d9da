import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { cacheStore, trimCache } from './cache-store.ts';
import { limitStore } from './limit-store.ts';
import { memoryStore } from './memory-store.ts';
import { metricsStore, type StoreRequest, storeCounters } from './metrics-store.ts';
import type { ObjectStore } from './object-store.ts';
import { unavailable } from './store-error.ts';
import { instantClock } from './testing/instant-clock.ts';
import { describeStore, fails, idOf, sampleBytes } from './testing/store-suite.ts';

const decorated = (decorate: (store: ObjectStore) => ObjectStore) => async () => {
  const objects = new Map<string, Buffer>();
  const again = () => decorate(memoryStore(objects, { pageObjects: 10 }));
  return { store: again(), again, [Symbol.asyncDispose]: async () => {} };
};
const narrow = { requestsAtOnce: 2, uploadBytesPerS: 1e6, downloadBytesPerS: 1e6 };
const keepsAll = { isWorthKeeping: () => true };

describeStore(
  'memory, limited',
  decorated((store) => limitStore(store, narrow, instantClock())),
);
describeStore(
  'memory, counted',
  decorated((store) => metricsStore(store, () => {}, instantClock())),
);
describeStore(
  'memory, cached in memory',
  decorated((store) => cacheStore(store, memoryStore(), keepsAll)),
);

describe('limited store', () => {
  it('keeps to its bytes a second each way, on average', async () => {
    const clock = instantClock();
    const store = limitStore(memoryStore(), { uploadBytesPerS: 1000, downloadBytesPerS: 2000 }, clock);
    for (let index = 0; index < 11; index++) await store.put(`x${index}`, sampleBytes(500));
    assert.equal(clock.monotonicMs(), 5000);
    for (let index = 0; index < 11; index++) await store.get(`x${index}`);
    assert.equal(clock.monotonicMs(), 7500);
  });

  it('runs no more requests at once than allowed, in the order they came', async () => {
    const clock = manualClock();
    const running = { now: 0, most: 0 };
    const order: string[] = [];
    const base = memoryStore();
    const slow: ObjectStore = {
      ...base,
      async put(name, bytes) {
        running.most = Math.max(running.most, ++running.now);
        order.push(name);
        await clock.sleep(100);
        running.now--;
        await base.put(name, bytes);
      },
    };
    const store = limitStore(slow, { requestsAtOnce: 3 }, clock);
    const names = Array.from({ length: 10 }, (_, index) => `x${index}`);
    const puts = Promise.all(names.map((name) => store.put(name, Buffer.of(1))));
    await clock.advance(1000);
    await puts;
    assert.equal(running.most, 3);
    assert.deepEqual(order, names);
  });

  it('runs fewer while the store is overloaded, and all again when it no longer is', async () => {
    const clock = manualClock();
    const running = { now: 0, most: 0 };
    let isOverloaded = true;
    const slow: ObjectStore = {
      ...memoryStore(),
      async sizeOf() {
        running.most = Math.max(running.most, ++running.now);
        await clock.sleep(10);
        running.now--;
        if (isOverloaded) throw unavailable('SlowDown (503)', 'x', { isOverloaded });
        return 1;
      },
    };
    const store = limitStore(slow, { requestsAtOnce: 8 }, clock);
    const askMany = async () => {
      running.most = 0;
      const all = Promise.allSettled(Array.from({ length: 100 }, () => store.sizeOf('x')));
      await clock.advance(2000);
      await all;
    };
    await askMany();
    isOverloaded = false;
    await askMany();
    assert.equal(running.now, 0);
    await askMany();
    assert.equal(running.most, 8);
    isOverloaded = true;
    await askMany();
    await askMany();
    assert.equal(running.most, 1);
  });

  it('begins no more requests a second than allowed', async () => {
    const clock = instantClock();
    const store = limitStore(memoryStore(new Map([['x', sampleBytes(10)]])), { requestsPerS: 4 }, clock);
    for (let count = 0; count < 5; count++) await store.sizeOf('x');
    await Array.fromAsync(store.read('x'));
    assert.equal(clock.monotonicMs(), 1250);
  });

  it('who is told to stop while waiting goes, and takes no slot', async () => {
    const clock = manualClock();
    const base = memoryStore();
    const slow = { ...base, sizeOf: () => clock.sleep(100).then(() => 1) };
    const store = limitStore(slow, { requestsAtOnce: 1 }, clock);
    const stop = new AbortController();
    const reason = new Error('stopped');
    const first = store.sizeOf('a');
    const second = store.sizeOf('b', stop.signal);
    const third = store.sizeOf('c');
    stop.abort(reason);
    await assert.rejects(second, reason);
    await clock.advance(250);
    assert.deepEqual([await first, await third], [1, 1]);
  });
});

describe('counted store', () => {
  it('counts requests, failures by code, and bytes both ways', async () => {
    const counters = storeCounters();
    const store = metricsStore(memoryStore(), counters.observe, instantClock());
    await store.put('x', sampleBytes(100));
    await store.get('x', { offset: 10, length: 20 });
    await Array.fromAsync(store.read('x'));
    await assert.rejects(store.get('y'), fails('ObjectMissing'));
    await Array.fromAsync(store.list(''));
    await store.removeMany(['x']);
    assert.deepEqual(counters.read(), {
      requests: { put: 1, get: 3, sizeOf: 0, list: 1, remove: 1, removeLeftovers: 0 },
      failures: { ObjectMissing: 1 },
      sentBytes: 100,
      receivedBytes: 120,
    });
  });

  it('says how long a request took, a read with all its pieces', async () => {
    const clock = instantClock();
    const seen: StoreRequest[] = [];
    const base = memoryStore(new Map([['x', sampleBytes(200_000)]]));
    const slow: ObjectStore = { ...base, sizeOf: () => clock.sleep(70).then(() => 1) };
    const store = metricsStore(slow, (request) => seen.push(request), clock);
    await store.sizeOf('x');
    for await (const piece of store.read('x')) await clock.sleep(piece.length / 1000);
    assert.deepEqual(
      seen.map(({ durationMs }) => Math.round(durationMs)),
      [70, 200],
    );
  });
});

describe('cached store', () => {
  const world = () => {
    const requests: string[] = [];
    const far = memoryStore();
    const counted: ObjectStore = {
      ...far,
      get: (name, range, signal) => {
        requests.push(name);
        return far.get(name, range, signal);
      },
    };
    const near = memoryStore();
    return {
      far,
      near,
      requests,
      open: () => cacheStore(counted, near, { isWorthKeeping: (name) => name.startsWith('data/aa/') }),
    };
  };
  it('gives each of many that want an object at once bytes of its own', async () => {
    const { far, open } = world();
    await far.put(index, bytes);
    const store = open();
    const [first, ...others] = await Promise.all([store.get(index), store.get(index), store.get(index)]);
    first.fill(0);
    for (const one of others) assert.deepEqual(one, bytes);
  });

  const bytes = sampleBytes(1000);
  const [index, tree, other] = ['index', 'data/aa', 'data/bb'].map((folder) => `${folder}/${idOf(bytes)}`) as [
    string,
    string,
    string,
  ];

  it('asks the store once for what it keeps, and each time for the rest', async () => {
    const { far, requests, open } = world();
    for (const name of [index, tree, other, 'index/no-digest']) await far.put(name, bytes);
    for (const store of [open(), open()])
      for (const name of [index, tree, other, 'index/no-digest']) {
        assert.deepEqual(await store.get(name), bytes);
        assert.deepEqual(await store.get(name, { offset: 5, length: 6 }), bytes.subarray(5, 11));
      }
    const times = (name: string) => requests.filter((asked) => asked === name).length;
    assert.deepEqual([index, tree, other, 'index/no-digest'].map(times), [1, 1, 4, 4]);
  });

  it('what was put needs not be fetched', async () => {
    const { requests, open } = world();
    const store = open();
    await store.put(index, bytes);
    assert.deepEqual(await store.get(index), bytes);
    assert.deepEqual(requests, []);
  });

  it('many readers of one object make one request', async () => {
    const { far, requests, open } = world();
    await far.put(tree, bytes);
    const store = open();
    await Promise.all(Array.from({ length: 20 }, (_, at) => store.get(tree, { offset: at, length: 3 })));
    assert.deepEqual(requests, [tree]);
  });

  it('a damaged copy is fetched anew and replaced', async () => {
    for (const damage of [Buffer.alloc(1000), bytes.subarray(0, 500), Buffer.alloc(0)]) {
      const { far, near, requests, open } = world();
      await far.put(tree, bytes);
      near.objects.set(tree, Buffer.from(damage));
      assert.deepEqual(await open().get(tree, { offset: 1, length: 10 }), bytes.subarray(1, 11));
      assert.deepEqual(near.objects.get(tree), bytes);
      assert.deepEqual(requests, [tree]);
    }
  });

  it('keeps no bytes that are not what their name says, and hides them from nobody', async () => {
    const { far, near, open } = world();
    far.objects.set(index, Buffer.from('damaged in the store'));
    assert.equal((await open().get(index)).toString(), 'damaged in the store');
    assert.equal(near.objects.size, 0);
  });

  it('what is removed is gone here too', async () => {
    const { near, open } = world();
    const store = open();
    await store.put(index, bytes);
    await store.remove(index);
    assert.equal(near.objects.size, 0);
    await assert.rejects(store.get(index), fails('ObjectMissing'));
  });

  it('a cache that fails costs time only', async () => {
    const { far } = world();
    const fail = () => Promise.reject(new Error('disk full'));
    const broken = { ...memoryStore(), get: fail, put: fail, remove: fail, removeMany: fail, removeLeftovers: fail };
    const store = cacheStore(far, broken);
    await store.put(index, bytes);
    assert.deepEqual(await store.get(index), bytes);
    await store.removeLeftovers(new Date(0));
    await store.removeMany([index]);
    assert.equal(far.objects.size, 0);
  });

  it('trims to a bound, oldest first', async () => {
    let seconds = 0;
    const near = memoryStore(undefined, { now: () => new Date(seconds++ * 1000) });
    for (const name of ['a', 'b', 'c', 'd']) await near.put(name, sampleBytes(100));
    assert.equal(await trimCache(near, 250), 2);
    assert.deepEqual([...near.objects.keys()], ['c', 'd']);
  });
});
