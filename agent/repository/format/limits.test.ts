import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bomb } from '../testing/fuzz/hostile-frames.ts';
import { testKey } from '../testing/write-restore-point.ts';
import { parseIndex } from './index-file.ts';
import { openKeyFile } from './key-file.ts';
import { idOf } from './object-id.ts';
import { sealBlob, unsealBlob } from './pack.ts';
import { seal } from './seal.ts';
import { readTree } from './tree.ts';
import { unsealDocument } from './unpacked.ts';

const iv = Buffer.alloc(16, 9);
const damaged = { code: 'RepositoryDamaged' };
const mebibyte = 1024 * 1024;

const compressed = (frame: Buffer) => seal(testKey, Buffer.concat([Buffer.of(2), frame]), iv);

describe('what a hostile object may ask for', () => {
  it('is not minutes and gigabytes by brackets in brackets', () => {
    const sealed = compressed(bomb(100 * mebibyte, '['.charCodeAt(0)));
    assert.ok(sealed.length < 4096);
    assert.throws(() => parseIndex(unsealDocument(testKey, sealed, 'index'), 'index'), damaged);
    const node = `{"name":"n","type":"file","content":${'['.repeat(6 * mebibyte)}`;
    assert.throws(() => [...readTree(Buffer.from(`{"nodes":[${node}}]}`), 'tree')], damaged);
  });

  it('is not a document of many times what an index can have', () => {
    assert.throws(() => unsealDocument(testKey, compressed(bomb(200 * mebibyte, 0x20)), 'index'), damaged);
  });

  it('is a gigabyte for one try of a password neither', async () => {
    const slot = { kdf: 'scrypt', salt: 'AAAA', data: Buffer.alloc(96).toString('base64') };
    for (const cost of [
      { N: 2 ** 20, r: 8, p: 1 },
      { N: 2 ** 19, r: 8, p: 1 },
      { N: 2 ** 15, r: 8, p: 65 },
      { N: 2 ** 40, r: 1, p: 1 },
    ])
      await assert.rejects(openKeyFile(Buffer.from(JSON.stringify({ ...slot, ...cost })), 'x', 'key'), damaged);
    const dear = { ...slot, N: 2 ** 15, r: 8, p: 1 };
    assert.equal(await openKeyFile(Buffer.from(JSON.stringify(dear)), 'x', 'key'), undefined);
  });
});

describe('a blob that is shorter than its index says', () => {
  it('is refused: what comes after it in its file would lie elsewhere', () => {
    const content = Buffer.alloc(1000, 7);
    const { sealed } = sealBlob(testKey, content, 1, iv);
    const blob = {
      id: idOf(content),
      type: 'data',
      offset: 0,
      length: sealed.length,
      uncompressedLength: 1001,
    } as const;
    assert.throws(() => unsealBlob(testKey, sealed, blob, 'pack'), damaged);
    assert.deepEqual(unsealBlob(testKey, sealed, { ...blob, uncompressedLength: 1000 }, 'pack'), content);
  });
});
