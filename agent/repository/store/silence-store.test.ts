/** Against a store that takes requests and never answers: nothing waits for it forever, and nothing that answers is cut off. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ManualClock, manualClock } from '../../../kube/clock.ts';
import { memoryStore } from './memory-store.ts';
import type { ObjectStore } from './object-store.ts';
import { silenceStore } from './silence-store.ts';
import { StoreError } from './store-error.ts';
import { describeStore, sampleBytes } from './testing/store-suite.ts';
import { networkFailureOf } from './transport-error.ts';

describeStore('memory, bounded in its silence', async () => {
  const objects = new Map<string, Buffer>();
  const again = () => silenceStore(memoryStore(objects, { pageObjects: 10 }), manualClock());
  return { store: again(), again, [Symbol.asyncDispose]: async () => {} };
});

const mebibyte = 1024 * 1024;
const calls: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  put: (store) => store.put('x', sampleBytes(10)),
  get: (store) => store.get('x'),
  sizeOf: (store) => store.sizeOf('x'),
  list: (store) => Array.fromAsync(store.list('')),
  remove: (store) => store.remove('x'),
  removeMany: (store) => store.removeMany(['x', 'y']),
  removeLeftovers: (store) => store.removeLeftovers(new Date(0)),
};

describe('a store that never answers', () => {
  for (const [name, call] of Object.entries(calls))
    it(`ends ${name} after two minutes, and tells the request to stop`, async () => {
      const clock = manualClock();
      const { store, stopped } = muteStore();
      const ended = watch(call(silenceStore(store, clock)));
      await clock.advance(119_000);
      assert.equal(ended.error, undefined);
      await clock.advance(2_000);
      assertSilence(ended.error);
      assert.ok(stopped() > 0);
    });

  it('may take longer with an upload, by its size', async () => {
    const clock = manualClock();
    const ended = watch(silenceStore(muteStore().store, clock).put('x', Buffer.alloc(16 * mebibyte)));
    await clock.advance(18 * 60_000);
    assert.equal(ended.error, undefined);
    await clock.advance(2 * 60_000);
    assertSilence(ended.error);
  });

  it('is left at once by who is told to stop', async () => {
    const stop = new AbortController();
    const ended = watch(silenceStore(muteStore().store, manualClock()).sizeOf('x', stop.signal));
    stop.abort(new Error('enough'));
    await manualClock().advance(0);
    assert.match(String(ended.error), /enough/);
  });
});

describe('a store that falls silent in the midst of an object', () => {
  const begin = (clock: ManualClock) => {
    const { store, stopped } = muteStore(3);
    return { pieces: silenceStore(store, clock).read('x')[Symbol.asyncIterator](), stopped };
  };

  it('ends the reading two minutes after its last piece, however long the ones before took', async () => {
    const clock = manualClock();
    const { pieces, stopped } = begin(clock);
    for (let piece = 0; piece < 3; piece++) {
      assert.equal((await pieces.next()).done, false);
      await clock.advance(100_000);
    }
    const ended = watch(pieces.next());
    await clock.advance(119_000);
    assert.equal(ended.error, undefined);
    await clock.advance(2_000);
    assertSilence(ended.error);
    assert.equal(stopped(), 1);
  });

  it('is let go by who reads no further', async () => {
    const { pieces, stopped } = begin(manualClock());
    await pieces.next();
    await pieces.return?.();
    assert.equal(stopped(), 1);
  });
});

function assertSilence(error: unknown): void {
  assert.ok(error instanceof StoreError, String(error));
  assert.deepEqual([error.code, error.retryable], ['StoreUnavailable', true]);
  assert.equal(networkFailureOf(error)?.kind, 'NoAnswer');
}

/** What a promise was rejected with, once it was. */
function watch(promise: Promise<unknown>): { error: unknown } {
  const ended: { error: unknown } = { error: undefined };
  promise.catch((error: unknown) => {
    ended.error = error;
  });
  return ended;
}

/** Answers nothing but `pieces` of an object; counts the requests that were told to stop. */
function muteStore(pieces = 0) {
  let stops = 0;
  const never = <Result>(signal: AbortSignal | undefined): Promise<Result> =>
    new Promise((_, reject) => {
      signal?.addEventListener('abort', () => {
        stops++;
        reject(signal.reason);
      });
    });
  const store: ObjectStore = {
    description: 'mute',
    put: (_name, _bytes, signal) => never(signal),
    get: (_name, _range, signal) => never(signal),
    async *read(_name, _range, signal) {
      signal?.addEventListener('abort', () => void stops++);
      for (let piece = 0; piece < pieces; piece++) yield sampleBytes(10);
      await new Promise(() => {});
    },
    sizeOf: (_name, signal) => never(signal),
    list: () => memoryStore().list(''),
    page: (_prefix, _from, signal) => never(signal),
    remove: (_name, signal) => never(signal),
    removeMany: (_names, signal) => never(signal),
    removeLeftovers: (_before, signal) => never(signal),
  };
  return { store, stopped: () => stops };
}
