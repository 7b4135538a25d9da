import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { encodePackEnd } from '../testing/encode-pack-end.ts';
import { parseConfig } from './config.ts';
import { encodeIndex, parseIndex } from './index-file.ts';
import { newMasterKey } from './key-file.ts';
import { packEndBytes, parsePackHeader, readHeaderLength, sealBlob, unsealBlob } from './pack.ts';
import { ivBytes, seal, unseal } from './seal.ts';
import { encodeSnapshot, parseSnapshot } from './snapshot.ts';
import { readTree } from './tree.ts';
import { sealDocument, unsealDocument } from './unpacked.ts';

const key = newMasterKey(randomBytes);
const id = 'a'.repeat(64);
const iv = () => randomBytes(ivBytes);
const damaged = { code: 'RepositoryDamaged', about: 'here' } as const;

describe('sealing', () => {
  it('comes back, and refuses each changed byte', () => {
    const sealed = seal(key, Buffer.from('content'), iv());
    assert.equal(unseal(key, sealed, 'here').toString(), 'content');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 0x80;
      assert.throws(() => unseal(key, changed, 'here'), damaged);
    }
    assert.throws(() => unseal(newMasterKey(randomBytes), sealed, 'here'), damaged);
    assert.throws(() => unseal(key, sealed.subarray(0, 31), 'here'), damaged);
  });

  it('of documents is compressed, and reads the forms of version 1 too', () => {
    const json = JSON.stringify({ text: 'x'.repeat(10_000) });
    const sealed = sealDocument(key, json, iv());
    assert.ok(sealed.length < 200);
    assert.equal(unsealDocument(key, sealed, 'here').toString(), json);
    assert.equal(unsealDocument(key, seal(key, Buffer.from(json), iv()), 'here').toString(), json);
    for (const bytes of [[], [7, 1], [2, 1, 2, 3]])
      assert.throws(() => unsealDocument(key, seal(key, Buffer.from(bytes), iv()), 'here'), damaged);
  });
});

describe('blobs and packs', () => {
  const contents = [Buffer.alloc(5000), randomBytes(3000), Buffer.from('x')];

  it('come back from a pack by its own header', () => {
    const sealed = contents.map((content, at) => sealBlob(key, content, at === 1 ? undefined : 3, iv()));
    let offset = 0;
    const blobs = sealed.map(({ sealed: bytes, uncompressedLength }, at) => {
      const blob = {
        id: String(at).repeat(64),
        type: at === 0 ? 'tree' : 'data',
        offset,
        length: bytes.length,
      } as const;
      offset += bytes.length;
      return { ...blob, uncompressedLength };
    });
    const end = encodePackEnd(key, blobs, iv());
    assert.ok(end.length <= packEndBytes(blobs.length));
    const pack = Buffer.concat([...sealed.map((one) => one.sealed), end]);
    const length = readHeaderLength(pack.subarray(-4), pack.length, 'here');
    const header = pack.subarray(-4 - length, -4);
    assert.deepEqual(parsePackHeader(key, header, pack.length, 'here'), blobs);
    assert.throws(() => parsePackHeader(key, header, pack.length + 1, 'here'), damaged);
  });

  it('with another content than their id says are refused', () => {
    const { sealed, uncompressedLength } = sealBlob(key, Buffer.from('x'), 3, iv());
    const blob = { id, type: 'data', offset: 0, length: sealed.length, uncompressedLength } as const;
    assert.throws(() => unsealBlob(key, sealed, blob, 'p'), { about: `data blob ${id} in pack p` });
  });

  it('that unpack to more than they claim are refused before they need the memory', () => {
    const { sealed } = sealBlob(key, Buffer.alloc(64 * 1024 * 1024), 3, iv());
    const before = process.memoryUsage().arrayBuffers;
    const blob = { id, type: 'data', offset: 0, length: sealed.length, uncompressedLength: 1000 } as const;
    assert.throws(() => unsealBlob(key, sealed, blob, 'p'), { code: 'RepositoryDamaged' });
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
  });

  for (const [what, header] of Object.entries({
    'an entry of unknown kind': Buffer.alloc(41, 9),
    'half an entry': Buffer.alloc(20),
    'a blob too short for its seal': Buffer.alloc(37),
  })) {
    it(`in a header with ${what} are refused`, () => {
      const sealed = seal(key, header, iv());
      assert.throws(() => parsePackHeader(key, sealed, sealed.length + 4, 'here'), damaged);
    });
  }

  it('in a file with an impossible header length are refused', () => {
    const lengths = [0, 10, 68, 2 ** 31, 2 ** 32 - 1];
    for (const length of lengths) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(length);
      assert.throws(() => readHeaderLength(bytes, 60, 'here'), damaged);
    }
    assert.throws(() => readHeaderLength(Buffer.alloc(2), 2, 'here'), damaged);
  });
});

describe('documents', () => {
  it('come back', () => {
    const blob = { id, type: 'data', offset: 0, length: 100 } as const;
    const packs = [
      { id, blobs: [{ ...blob, uncompressedLength: undefined }] },
      { id: 'b'.repeat(64), blobs: [{ ...blob, offset: 7, uncompressedLength: 200 }] },
    ];
    assert.deepEqual(parseIndex(Buffer.from(encodeIndex(packs)), 'here'), packs);
    const snapshot = {
      time: new Date(1_234_567_890_123),
      parent: id,
      tree: id,
      paths: ['/data'],
      hostname: 'h',
      username: 'u',
      uid: 1,
      gid: 2,
      tags: ['t'],
      excludes: ['*.tmp'],
      programVersion: 'stork 1',
      summary: { entries: 1, bytes: 2, bytesAdded: 3 },
    };
    assert.deepEqual(parseSnapshot(Buffer.from(encodeSnapshot(snapshot)), 'here'), snapshot);
  });

  const aNode = { name: 'a', type: 'file', mode: 420, mtime: '2020-01-01T00:00:00Z', content: [id] };
  const aBlob = { id, type: 'data', offset: 0, length: 100 };
  const tree =
    (...nodes: readonly object[]) =>
    () => [...readTree(Buffer.from(JSON.stringify({ nodes })), 'here')];
  const index = (blob: object) => () =>
    parseIndex(Buffer.from(JSON.stringify({ packs: [{ id, blobs: [blob] }] })), 'here');
  const snapshot = (fields: object) => () =>
    parseSnapshot(Buffer.from(JSON.stringify({ time: '2020-01-01T00:00:00Z', tree: id, ...fields })), 'here');
  const refused: Readonly<Record<string, () => unknown>> = {
    'a tree that is no JSON': () => [...readTree(Buffer.from('{"nodes":['), 'here')],
    'a tree that is a list': () => [...readTree(Buffer.from('[]'), 'here')],
    'a node of unknown type': tree({ ...aNode, type: 'door' }),
    'a name that leads away': tree({ ...aNode, name: '..' }),
    'a name with a slash': tree({ ...aNode, name: 'a/b' }),
    'a name with an escaped slash': tree({ ...aNode, name: '\\x2f' }),
    'a name with a NUL': tree({ ...aNode, name: '\\x00' }),
    'no name': tree({ ...aNode, name: '' }),
    'a name twice': tree(aNode, aNode),
    'names out of order': tree({ ...aNode, name: 'b' }, aNode),
    'a directory without subtree': tree({ ...aNode, type: 'dir' }),
    'content that is no id': tree({ ...aNode, content: ['../../etc/passwd'] }),
    'a size below zero': tree({ ...aNode, size: -1 }),
    'a size that is no whole number': tree({ ...aNode, size: 1.5 }),
    'an inode beyond 64 bits': () => [
      ...readTree(Buffer.from(`{"nodes":[{"name":"a","type":"fifo","inode":99999999999999999999}]}`), 'here'),
    ],
    'an index of unknown blobs': index({ ...aBlob, type: 'door' }),
    'an index beyond the pack': index({ ...aBlob, offset: 2 ** 40 }),
    'an index with a blob of no size': index({ ...aBlob, length: 0 }),
    'an index with a huge blob': index({ ...aBlob, uncompressed_length: 2 ** 33 }),
    'a snapshot without time': snapshot({ time: 'soon' }),
    'a snapshot without tree': snapshot({ tree: 'x' }),
    'a snapshot with a wrong parent': snapshot({ parent: '../x' }),
    'a snapshot with paths that are none': snapshot({ paths: [1] }),
  };
  for (const [what, read] of Object.entries(refused)) {
    it(`are refused: ${what}`, () =>
      assert.throws(read, (error) => error instanceof Error && 'code' in error && error.code === 'RepositoryDamaged'));
  }

  it('of another version say how to upgrade', () => {
    const json = JSON.stringify({ version: 1, id, chunker_polynomial: '3da3358b4dc173' });
    assert.throws(() => parseConfig(Buffer.from(json)), { code: 'RepositoryVersion' });
  });
});

describe('numbers', () => {
  const inodeOf = (inode: string, padding = 0) => {
    const tail = padding === 0 ? '' : `,{"name":"b","type":"symlink","linktarget":"${'x'.repeat(60_000)}"}`;
    const more = Array.from({ length: padding }, (_, at) => tail.replace('"b"', `"b${String(at).padStart(4, '0')}"`));
    const json = `{"nodes":[{"name":"a","type":"fifo","inode":${inode},"device_id":18446744073709551615}${more.join('')}]}`;
    const [node] = readTree(Buffer.from(json), 'here');
    return node;
  };

  it('of inodes are exact up to 64 bits, in small trees and in large ones', () => {
    for (const padding of [0, 80])
      for (const inode of ['0', '9007199254740993', '18446744073709551615']) {
        const node = inodeOf(inode, padding);
        assert.equal(node?.inode, BigInt(inode));
        assert.equal(node.deviceId, 2n ** 64n - 1n);
      }
  });

  it('inside of names stay names', () => {
    const name = '"inode":12345678901234567890,';
    const json = JSON.stringify({ nodes: [{ name: name.replaceAll('"', '\\"'), type: 'fifo' }] });
    const [node] = readTree(Buffer.from(json), 'here');
    assert.equal(node?.name, name);
  });
});
