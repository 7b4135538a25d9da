import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compress, decompress } from './compress.ts';
import { smallLimitBytes, smallZstd } from './small-zstd.ts';

const contents = [
  Buffer.from('x'),
  Buffer.from('some words of a text, '.repeat(300)),
  randomBytes(5000),
  randomBytes(smallLimitBytes),
  Buffer.alloc(smallLimitBytes),
];

describe('zstd of small content', () => {
  it('is there in the Node we pin', () => assert.notEqual(smallZstd(), undefined));

  it('makes frames that node:zlib reads, and reads its', () => {
    const zstd = smallZstd();
    assert.ok(zstd);
    for (const level of [1, 3, 9, 19])
      for (const content of contents) {
        const frame = zstd.compress(content, level);
        assert.ok(frame);
        assert.deepEqual(zstdDecompressSync(frame), content);
        assert.deepEqual(zstd.decompress(zstdCompressSync(content), content.length), content);
      }
  });

  it('gives what it made away: later calls do not change it', () => {
    const frame = compress(Buffer.from('first '.repeat(100)), 3);
    const back = decompress(frame, 600, 'test');
    compress(randomBytes(3000), 3);
    decompress(compress(randomBytes(3000), 3), 3000, 'test');
    assert.equal(back.toString(), 'first '.repeat(100));
    assert.deepEqual(zstdDecompressSync(frame), back);
  });

  it('is read as what it is, however much might come of it', () => {
    const limit = 128 * 1024 * 1024;
    // Compressed the last takes less than others that are smaller: only its content tells that it is large.
    for (const content of [...contents, randomBytes(16 * 1024 + 1), Buffer.alloc(8 * 1024 * 1024)])
      assert.deepEqual(decompress(compress(content, 3), limit, 'test'), content);
    const large = compress(Buffer.alloc(8 * 1024 * 1024), 3);
    assert.throws(() => decompress(large, 8 * 1024 * 1024 - 1, 'test'), { code: 'RepositoryDamaged' });
  });

  it('refuses what is no frame, is damaged, or holds too much', () => {
    const zstd = smallZstd();
    assert.ok(zstd);
    const frame = compress(Buffer.from('some words '.repeat(300)), 3);
    assert.equal(zstd.decompress(randomBytes(100), 1000), undefined);
    assert.equal(zstd.decompress(Buffer.alloc(0), 1000), undefined);
    assert.equal(zstd.decompress(frame.subarray(0, -3), 3300), undefined);
    assert.equal(zstd.decompress(frame, 3299), undefined);
    for (const wrong of [frame.subarray(0, -3), randomBytes(100), Buffer.alloc(0)])
      assert.throws(() => decompress(wrong, 3300, 'test'), { code: 'RepositoryDamaged' });
    assert.throws(() => decompress(frame, 3299, 'test'), { code: 'RepositoryDamaged' });
  });
});
