import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { isCompressible } from './blob-writer.ts';

const bytes = 1024 * 1024;
const text = Buffer.alloc(bytes, 'words of a text, again and again; ');
/** No two blocks are alike. */
const noise = Buffer.concat(
  Array.from({ length: bytes / 32 }, (_, at) => createHash('sha256').update(String(at)).digest()),
);

describe('what is compressed', () => {
  test('text, and content of which a part shrinks wherever it lies', () => {
    assert.ok(isCompressible(text));
    for (const from of [0, bytes / 2]) {
      const mixed = Buffer.from(noise);
      text.copy(mixed, from, 0, bytes / 2);
      assert.ok(isCompressible(mixed), `text from ${from}`);
    }
  });
  test('small content is always tried, noise is not', () => {
    assert.ok(isCompressible(noise.subarray(0, 1024)));
    assert.ok(!isCompressible(noise));
  });
});
