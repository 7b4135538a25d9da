import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { idOf } from './object-id.ts';
import { sealBlob, unsealBlob } from './pack.ts';
import { smallBlobSealer } from './seal-small.ts';

const key = { encrypt: randomBytes(32), macK: randomBytes(16), macR: randomBytes(16) };
const sealer = smallBlobSealer(key);
const skip = sealer === undefined ? 'this Node has no node:ffi' : false;

test('small blobs are sealed to the bytes that sealBlob makes under the same IV, one after the other', { skip }, () => {
  for (const size of [1, 15, 16, 17, 4096, 100_000, 128 * 1024])
    for (const level of [1, 3, 9, undefined] as const)
      for (const content of [randomBytes(size), Buffer.alloc(size, 'some words of a text ')]) {
        const iv = randomBytes(16);
        const made = sealer?.seal(content, level, iv);
        assert.ok(made, `${size} bytes, level ${level}`);
        const { sealed, uncompressedLength } = made;
        assert.deepEqual({ sealed: Buffer.from(sealed), uncompressedLength }, sealBlob(key, content, level, iv));
        const blob = { id: idOf(content), type: 'data', offset: 0, length: sealed.length, uncompressedLength } as const;
        assert.deepEqual(unsealBlob(key, sealed, blob, 'a pack'), content);
      }
});

test('what is empty or too large is left to sealBlob', { skip }, () => {
  for (const size of [0, 128 * 1024 + 1])
    for (const level of [3, undefined] as const)
      assert.equal(sealer?.seal(Buffer.alloc(size), level, randomBytes(16)), undefined);
});
