/** What every store promises (object-store.ts), whatever it is made of and whatever decorates it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { ObjectStore, StoredObject } from '../object-store.ts';
import { StoreError } from '../store-error.ts';

export interface StoreWorld extends AsyncDisposable {
  /** Empty; its own for each call of `open`. */
  readonly store: ObjectStore;
  /** The same place opened once more, as another process would. */
  again(): ObjectStore;
}

export interface StoreSuiteOptions {
  /** An object of this size is stored in several requests, where the kind has such a way. */
  readonly largeBytes?: number;
  /** `list` needs several pages for 25 objects of one directory. */
  readonly pages?: boolean;
  /** Of two different objects put under one name at once exactly one is refused. */
  readonly exclusive?: boolean;
  /** Names below `stork/` are kept: `privateNames` of the store. */
  readonly privateNames?: boolean;
}

export const idOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that differ with the seed and don't compress. */
export function sampleBytes(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let index = 0, state = seed >>> 0 || 1; index < sizeBytes; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}

export const fails =
  (code: string, retryable = false) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof StoreError, `a StoreError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.equal(error.retryable, retryable);
    return true;
  };

const all = async (found: AsyncIterable<StoredObject>) =>
  (await Array.fromAsync(found)).sort((left, right) => (left.name < right.name ? -1 : 1));
const names = async (found: AsyncIterable<StoredObject>) => (await all(found)).map(({ name }) => name);

export function describeStore(
  kind: string,
  open: () => Promise<StoreWorld>,
  { largeBytes = 3 * 1024 * 1024, pages = true, exclusive = true, privateNames = true }: StoreSuiteOptions = {},
): void {
  describe(`store: ${kind}`, () => {
    let world: StoreWorld;
    let store: ObjectStore;
    before(async () => {
      world = await open();
      ({ store } = world);
    });
    after(() => world[Symbol.asyncDispose]());

    const nameIn = (folder: string, bytes: Uint8Array) => {
      const id = idOf(bytes);
      return folder === 'data' ? `data/${id.slice(0, 2)}/${id}` : `${folder}/${id}`;
    };
    const putNew = async (folder: string, bytes: Uint8Array) => {
      const name = nameIn(folder, bytes);
      await store.put(name, bytes);
      return name;
    };

    it('keeps an object whole, for others too', async () => {
      const bytes = sampleBytes(5000, 2);
      const name = await putNew('index', bytes);
      for (const reader of [store, world.again()]) {
        assert.deepEqual(await reader.get(name), bytes);
        assert.equal(await reader.sizeOf(name), bytes.length);
      }
    });

    it("gives bytes that are the reader's alone", async () => {
      const bytes = sampleBytes(5000, 12);
      const name = await putNew('index', bytes);
      const [one, other] = await Promise.all([store.get(name), store.get(name)]);
      one.fill(0);
      assert.deepEqual(other, bytes);
      other.fill(0);
      assert.deepEqual(await store.get(name), bytes);
    });

    it('keeps an empty object', async () => {
      const name = privateNames ? 'stork/empty' : nameIn('data', Buffer.alloc(0));
      await store.put(name, Buffer.alloc(0));
      assert.equal(await store.sizeOf(name), 0);
      assert.equal((await store.get(name)).length, 0);
      assert.deepEqual(await Array.fromAsync(store.read(name)), []);
    });

    it('keeps a large object, which is read whole, by ranges and piece by piece', async () => {
      const bytes = sampleBytes(largeBytes, 3);
      const name = await putNew('data', bytes);
      assert.ok((await store.get(name)).equals(bytes));
      const middle = { offset: Math.floor(largeBytes / 2) - 1, length: 4097 };
      const wanted = bytes.subarray(middle.offset, middle.offset + middle.length);
      assert.ok((await store.get(name, middle)).equals(wanted));
      assert.ok(Buffer.concat(await Array.fromAsync(store.read(name))).equals(bytes));
      assert.ok(Buffer.concat(await Array.fromAsync(store.read(name, middle))).equals(wanted));
      await store.put(name, bytes);
      await assert.rejects(store.put(name, sampleBytes(largeBytes, 4)), fails('ObjectExists'));
      assert.ok((await store.get(name, middle)).equals(wanted));
    });

    it('takes bytes that are a part of a larger buffer', async () => {
      const slab = sampleBytes(4096, 5);
      const part = slab.subarray(1000, 2000);
      const name = await putNew('index', part);
      slab.fill(0);
      assert.equal(idOf(await store.get(name)), name.slice('index/'.length));
    });

    it('reads the first byte, the last byte, and no byte beyond the end', async () => {
      const bytes = sampleBytes(100, 6);
      const name = await putNew('index', bytes);
      assert.deepEqual(await store.get(name, { offset: 0, length: 1 }), bytes.subarray(0, 1));
      assert.deepEqual(await store.get(name, { offset: 99, length: 1 }), bytes.subarray(99));
      for (const range of [
        { offset: 0, length: 101 },
        { offset: 99, length: 2 },
        { offset: 100, length: 1 },
        { offset: 5000, length: 10 },
      ]) {
        await assert.rejects(store.get(name, range), fails('ObjectTooShort'));
        await assert.rejects(Array.fromAsync(store.read(name, range)), fails('ObjectTooShort'));
      }
    });

    it('a reader may stop early', async () => {
      const bytes = sampleBytes(largeBytes, 7);
      const name = await putNew('data', bytes);
      for await (const piece of store.read(name)) {
        assert.ok(piece.length > 0 && bytes.subarray(0, piece.length).equals(piece));
        break;
      }
      assert.equal(await store.sizeOf(name), largeBytes);
    });

    it('says what is not there', async () => {
      assert.equal(await store.sizeOf('index/none'), undefined);
      await assert.rejects(store.get('index/none'), fails('ObjectMissing'));
      await assert.rejects(store.get('index/none', { offset: 1, length: 1 }), fails('ObjectMissing'));
      await assert.rejects(Array.fromAsync(store.read('none')), fails('ObjectMissing'));
      assert.deepEqual(await names(store.list('nothing/')), []);
    });

    it('repeats a put without harm; refuses other bytes under the name, of the same size too', async () => {
      const bytes = sampleBytes(64, 8);
      await store.put('config', bytes);
      await store.put('config', bytes);
      await world.again().put('config', bytes);
      await assert.rejects(store.put('config', sampleBytes(64, 9)), fails('ObjectExists'));
      await assert.rejects(world.again().put('config', sampleBytes(65, 9)), fails('ObjectExists'));
      assert.deepEqual(await store.get('config'), bytes);
    });

    it('of many that put different bytes under one name at once, one wins and stays', {
      skip: !exclusive,
    }, async () => {
      const writers = Array.from({ length: 6 }, (_, index) => ({
        writer: world.again(),
        bytes: sampleBytes(64, 20 + index),
      }));
      const results = await Promise.allSettled(writers.map(({ writer, bytes }) => writer.put('stork/race', bytes)));
      const won = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [writers[index]?.bytes] : []));
      assert.equal(won.length, 1);
      assert.deepEqual(await store.get('stork/race'), won[0]);
      for (const result of results) if (result.status === 'rejected') fails('ObjectExists')(result.reason);
    });

    it('many may put the same object at once', async () => {
      const bytes = sampleBytes(1000, 30);
      const name = `index/${idOf(bytes)}`;
      await Promise.all(Array.from({ length: 6 }, () => world.again().put(name, bytes)));
      assert.deepEqual(await store.get(name), bytes);
    });

    it('lists what is below a prefix, with sizes and times, over all pages, each once', async () => {
      const wanted = Array.from({ length: 25 }, (_, index) => sampleBytes(index, 40 + index))
        .map((bytes) => ({ name: nameIn('snapshots', bytes), bytes }))
        .sort((left, right) => (left.name < right.name ? -1 : 1));
      for (const { name, bytes } of wanted) await store.put(name, bytes);
      const found = await all(store.list('snapshots/'));
      assert.deepEqual(
        found.map(({ name, sizeBytes }) => [name, sizeBytes]),
        wanted.map(({ name, bytes }) => [name, bytes.length]),
      );
      for (const { modifiedAt } of found) assert.ok(Number.isFinite(modifiedAt.getTime()));
      if (pages) assert.notEqual((await store.page('snapshots/')).next, undefined);
    });

    it('lists through all directories, and everything below the empty prefix', async () => {
      const those = [81, 82, 83].map((seed) => sampleBytes(9, seed));
      const put = await Promise.all(those.map((bytes) => putNew('data', bytes)));
      const below = await names(store.list('data/'));
      for (const name of put) assert.ok(below.includes(name), name);
      const every = await names(store.list(''));
      for (const name of [...below, 'config']) assert.ok(every.includes(name), name);
      assert.equal(new Set(every).size, every.length);
    });

    it('keeps names of ours apart, at any depth, or says that it keeps none', async () => {
      assert.equal((await store.privateNames?.()) ?? 'Kept', privateNames ? 'Kept' : 'None');
      const [deep, beside] = ['stork/deep/er/x', 'stork/deep-not/x'];
      if (!privateNames) {
        await assert.rejects(store.put(deep, Buffer.of(1)), fails('StoreRefused'));
        assert.equal(await store.sizeOf(deep), undefined);
        await assert.rejects(store.get(deep), fails('ObjectMissing'));
        await store.remove(deep);
        assert.deepEqual(await names(store.list('stork/')), []);
        return;
      }
      for (const name of [deep, beside]) await store.put(name, Buffer.of(1));
      assert.deepEqual(await names(store.list('stork/deep/')), [deep]);
      const every = await names(store.list(''));
      for (const name of [deep, beside]) assert.ok(every.includes(name), name);
    });

    it('removes one and many, and what is not there without complaint', async () => {
      const those = Array.from({ length: 12 }, (_, index) => sampleBytes(5, 60 + index));
      const put = await Promise.all(those.map((bytes) => putNew('locks', bytes)));
      const [first = '', ...others] = put;
      await store.remove(first);
      await store.remove(first);
      assert.equal(await store.sizeOf(first), undefined);
      await store.removeMany([]);
      await store.removeMany([...others, first]);
      assert.deepEqual(await names(store.list('locks/')), []);
      const [again = Buffer.alloc(0)] = those;
      await store.put(first, again);
      assert.deepEqual(await store.get(first), again);
    });

    it('refuses impossible names before anything happens', async () => {
      for (const name of [
        '',
        '/',
        '../x',
        'data/../../x',
        'data//x',
        '/etc/passwd',
        'a/.hidden',
        'a b',
        'x'.repeat(600),
      ]) {
        await assert.rejects(store.put(name, Buffer.of(1)), fails('ObjectNameInvalid'));
        await assert.rejects(store.get(name), fails('ObjectNameInvalid'));
        await assert.rejects(store.remove(name), fails('ObjectNameInvalid'));
      }
      await assert.rejects(Array.fromAsync(store.list('../')), fails('ObjectNameInvalid'));
      await assert.rejects(Array.fromAsync(store.list('data')), fails('ObjectNameInvalid'));
    });

    it('stops when told to, with the reason given', async () => {
      const reason = new Error('stopped');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(store.put('stork/stopped', Buffer.of(1), signal), reason);
      await assert.rejects(store.get('config', undefined, signal), reason);
      await assert.rejects(Array.fromAsync(store.read('config', undefined, signal)), reason);
      await assert.rejects(Array.fromAsync(store.list('data/', signal)), reason);
      assert.equal(await store.sizeOf('stork/stopped'), undefined);
    });

    it('removing leftovers removes no object', async () => {
      const before = await names(store.list(''));
      await store.removeLeftovers(new Date('2100-01-01T00:00:00Z'));
      assert.deepEqual(await names(store.list('')), before);
    });

    it('describes itself', () => {
      assert.match(store.description, /\S/);
    });
  });
}
