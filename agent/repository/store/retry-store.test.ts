import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../testing/seeded-random.ts';
import { type Fault, faultyStore } from './faulty-store.ts';
import { type MemoryStore, memoryStore } from './memory-store.ts';
import type { ObjectStore } from './object-store.ts';
import { retryLimits } from './patience.ts';
import { retryStore } from './retry-store.ts';
import { StoreError, unavailable } from './store-error.ts';
import { instantClock } from './testing/instant-clock.ts';
import { describeStore, fails, sampleBytes } from './testing/store-suite.ts';

/** Fails each call as often as told, then works. */
function failing(store: MemoryStore, failures: readonly StoreError[]): ObjectStore {
  const left = [...failures];
  const call =
    <Args extends readonly unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
    async (...args: Args) => {
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      return run(...args);
    };
  return { ...store, get: call(store.get), put: call(store.put), page: call(store.page) };
}

for (const [rate, seed] of [
  [0.01, 1],
  [0.3, 2],
  [0.6, 3],
] as const)
  describeStore(`memory, ${rate * 100} % of requests failing, retried`, async () => {
    const objects = new Map<string, Buffer>();
    const random = seededRandom(seed);
    const clock = instantClock();
    const again = () =>
      retryStore(faultyStore(memoryStore(objects, { pageObjects: 10 }), { random, clock, rate }), { random, clock });
    return { store: again(), again, [Symbol.asyncDispose]: async () => {} };
  });

describe('retrying store', () => {
  const trouble = unavailable('test', 'x');
  const options = () => ({ clock: instantClock(), random: () => 0 });

  it('waits longer each time, and tells', async () => {
    const { clock, random } = options();
    const told: number[] = [];
    const store = retryStore(failing(memoryStore(), Array(4).fill(trouble)), {
      ...{ clock, random },
      onRetry: (_, waitMs) => told.push(waitMs),
    });
    await store.put('x', Buffer.of(1));
    assert.deepEqual(clock.slept, [250, 500, 1000, 2000]);
    assert.deepEqual(told, clock.slept);
  });

  it('spreads the waits', async () => {
    const clock = instantClock();
    const store = retryStore(failing(memoryStore(), [trouble]), { clock, random: () => 0.999 });
    await store.put('x', Buffer.of(1));
    assert.deepEqual(clock.slept, [125]);
  });

  it('honours what the store asks for, within reason', async () => {
    const asked = [3000, 3_600_000].map((retryAfterMs) => unavailable('busy', 'x', { retryAfterMs }));
    const { clock, random } = options();
    await retryStore(failing(memoryStore(), asked), { clock, random }).put('x', Buffer.of(1));
    assert.deepEqual(clock.slept, [3000, retryLimits.longestWaitMs]);
  });

  it('gives up after its time with the last failure', async () => {
    const { clock, random } = options();
    const store = retryStore(failing(memoryStore(), Array(1000).fill(trouble)), { clock, random });
    await assert.rejects(store.get('x'), trouble);
    assert.ok(clock.monotonicMs() <= retryLimits.giveUpAfterMs);
    assert.ok(clock.monotonicMs() > retryLimits.giveUpAfterMs - retryLimits.backoff.maxMs);
  });

  it('repeats nothing that the store calls final, nor what it does not know', async () => {
    for (const final of [
      new StoreError({ code: 'StoreRefused', message: 'no' }),
      new StoreError({ code: 'StoreFull', message: 'full' }),
    ]) {
      const { clock, random } = options();
      await assert.rejects(
        retryStore(failing(memoryStore(), [final]), { clock, random }).put('x', Buffer.of(1)),
        final,
      );
      assert.deepEqual(clock.slept, []);
    }
    const bug = new TypeError('bug');
    const broken = { ...memoryStore(), get: () => Promise.reject(bug) };
    await assert.rejects(retryStore(broken, options()).get('x'), bug);
  });

  it('stops waiting when told to', async () => {
    const stop = new AbortController();
    const clock = instantClock();
    const reason = new Error('stopped');
    const store = retryStore(failing(memoryStore(), Array(1000).fill(trouble)), {
      ...{ clock, random: () => 0 },
      onRetry: () => clock.slept.length === 3 && stop.abort(reason),
    });
    await assert.rejects(store.put('x', Buffer.of(1), stop.signal), reason);
  });

  it('continues a read at the byte where it broke, however often', async () => {
    const bytes = sampleBytes(300_000);
    const clock = instantClock();
    const seen: Fault[] = [];
    const faulty = faultyStore(memoryStore(new Map([['x', bytes]])), {
      ...{ clock, random: seededRandom(7), rate: 0.9, kinds: ['Truncate'] },
      onFault: (fault) => seen.push(fault),
    });
    const store = retryStore(faulty, { clock, random: seededRandom(8) });
    assert.deepEqual(Buffer.concat(await Array.fromAsync(store.read('x'))), bytes);
    const range = { offset: 1234, length: 200_000 };
    assert.deepEqual(Buffer.concat(await Array.fromAsync(store.read('x', range))), bytes.subarray(1234, 201_234));
    assert.ok(seen.length > 3);
  });

  it('of two different objects under one name, a lost answer does not hide which one won', async () => {
    const store = memoryStore();
    const clock = instantClock();
    const lossy = faultyStore(store, { clock, random: seededRandom(9), rate: 0.7, kinds: ['LoseAnswer'] });
    await retryStore(lossy, { clock, random: () => 0 }).put('config', Buffer.of(1));
    await assert.rejects(
      retryStore(lossy, { clock, random: () => 0 }).put('config', Buffer.of(2)),
      fails('ObjectExists'),
    );
    assert.deepEqual(store.objects.get('config'), Buffer.of(1));
  });
});
