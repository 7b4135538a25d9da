import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { memoryStore } from '../store/memory-store.ts';
import { smallStore } from '../testing/small-store.ts';
import { decideReserveBytes, ensureReserve, putWithReserve, reserveName } from './reserve.ts';

const mebibyte = 1024 * 1024;

describe('the reserve', () => {
  it('is twice the index, within bounds', () => {
    assert.equal(decideReserveBytes(0), mebibyte);
    assert.equal(decideReserveBytes(3 * mebibyte + 1), 7 * mebibyte);
    assert.equal(decideReserveBytes(2 ** 40), 64 * mebibyte);
  });

  it('is given away once for what is needed to clean up', async () => {
    const limit = { bytes: mebibyte + 100 };
    const store = smallStore(memoryStore(), limit);
    await ensureReserve(store, 0, randomBytes);
    assert.equal(await store.sizeOf(reserveName), mebibyte);
    await assert.rejects(store.put('index/one', Buffer.alloc(200)), { code: 'StoreFull' });
    await putWithReserve(store, 'index/one', Buffer.alloc(200));
    assert.equal(await store.sizeOf(reserveName), undefined);
    await ensureReserve(store, 0, randomBytes);
    assert.equal(await store.sizeOf(reserveName), undefined, 'no room is no failure');
    limit.bytes = 2 * mebibyte;
    await ensureReserve(store, 0, randomBytes);
    assert.equal(await store.sizeOf(reserveName), mebibyte);
  });
});
