import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from './object-store.ts';

async function* pieces(...texts: readonly string[]) {
  for (const text of texts) yield Buffer.from(text);
}

test('pieces become one buffer, whether its length is known before or not', async () => {
  assert.equal((await collect(pieces('some ', 'words'))).toString(), 'some words');
  assert.equal((await collect(pieces('some ', 'words'), 10)).toString(), 'some words');
  assert.equal((await collect(pieces(), 10)).length, 0);
});

test('a source that sends more than was asked for is read to its end, where it says so, and nothing lies behind the buffer', async () => {
  assert.equal((await collect(pieces('some ', 'words', ' more'), 7)).toString(), 'some wo');
  async function* tooLong() {
    yield* pieces('some ', 'words');
    throw new Error('more than announced');
  }
  await assert.rejects(collect(tooLong(), 7), /more than announced/);
});
