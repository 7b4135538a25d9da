import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { idOf } from './object-id.ts';
import { openLimitBytes, smallBlobOpener } from './open-small.ts';
import { sealBlob, unsealBlob } from './pack.ts';

const key = { encrypt: randomBytes(32), macK: randomBytes(16), macR: randomBytes(16) };

function sealedOf(content: Buffer, level: 3 | undefined) {
  const { sealed, uncompressedLength } = sealBlob(key, content, level, randomBytes(16));
  const blob = { id: idOf(content), type: 'data', offset: 0, length: sealed.length, uncompressedLength } as const;
  return { sealed, blob };
}

const opener = smallBlobOpener(key);
const skip = opener === undefined ? 'this Node has no node:ffi' : false;

test('blobs open to what unsealBlob gives, one after the other', { skip }, () => {
  for (const size of [1, 15, 16, 17, 4096, 100_000, 1_500_000, openLimitBytes])
    for (const level of [3, undefined] as const) {
      const content = Buffer.from('some words of a text '.repeat(size / 20 + 1).slice(0, size));
      const { sealed, blob } = sealedOf(content, level);
      assert.deepEqual(opener?.open(sealed, blob), content, `${size} bytes, level ${level}`);
      assert.deepEqual(unsealBlob(key, sealed, blob, 'a pack'), content);
    }
});

test('an altered bit anywhere, a cut, another id or length: nothing is opened', { skip }, () => {
  const { sealed, blob } = sealedOf(Buffer.from('words and words and words'), 3);
  for (let at = 0; at < sealed.length; at++) {
    const altered = Buffer.from(sealed);
    altered[at] = (altered[at] ?? 0) ^ 4;
    assert.equal(opener?.open(altered, blob), undefined, `byte ${at}`);
  }
  for (let length = 0; length < sealed.length; length++)
    assert.equal(opener?.open(sealed.subarray(0, length), blob), undefined, `cut to ${length}`);
  assert.equal(opener?.open(sealed, { ...blob, id: idOf(Buffer.from('other')) }), undefined);
  assert.equal(opener?.open(sealed, { ...blob, uncompressedLength: 24 }), undefined);
  assert.equal(opener?.open(sealed, { ...blob, uncompressedLength: undefined }), undefined);
  assert.ok(opener?.open(sealed, blob), 'and the next one opens again');
});

test('what is too large, and what another key sealed, is left to unsealBlob', { skip }, () => {
  const large = sealedOf(Buffer.alloc(openLimitBytes + 1, 7), undefined);
  assert.equal(opener?.open(large.sealed, large.blob), undefined);
  const compressed = sealedOf(Buffer.alloc(openLimitBytes + 1, 7), 3);
  assert.equal(opener?.open(compressed.sealed, compressed.blob), undefined);
  const other = smallBlobOpener({ ...key, macK: randomBytes(16) });
  const { sealed, blob } = sealedOf(Buffer.from('words'), undefined);
  assert.equal(other?.open(sealed, blob), undefined);
});

test('who releases memory of an opener gets nothing opened by it any more', { skip }, () => {
  for (const level of [3, undefined] as const) {
    const own = smallBlobOpener(key);
    const { sealed, blob } = sealedOf(Buffer.from('words and words and words'), level);
    const { buffer } = own?.open(sealed, blob) ?? assert.fail('it opens');
    assert.ok(buffer instanceof ArrayBuffer);
    buffer.transfer(0);
    assert.equal(own?.open(sealed, blob), undefined);
  }
});
