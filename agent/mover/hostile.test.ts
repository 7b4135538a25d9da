import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import { systemClock } from '../../kube/clock.ts';
import { decodeBundle } from './bundle-message.ts';
import { byteReader, byteWriter } from './byte-codec.ts';
import { type Entry, readEntry, writeEntry } from './entry.ts';
import { createFrameLink, frameTypes } from './frame-link.ts';
import { decodeData, decodeItems, decodeWants, type WireItem } from './message.ts';
import { anEntry, offer } from './testing/hostile-source.ts';
import { scratch, seededChance } from './testing/test-volumes.ts';
import { treeDigester } from './tree-digest.ts';

describe('a hostile source', () => {
  const root = anEntry({});
  const lists: Readonly<Record<string, readonly (Entry | WireItem)[]>> = {
    'a path that climbs': [root, anEntry({ path: '../out', type: 'fifo' })],
    'an absolute path': [root, anEntry({ path: '/out', type: 'fifo' })],
    'a path with a NUL': [root, anEntry({ path: 'a\0b', type: 'fifo' })],
    'a file below a symlink': [
      root,
      anEntry({ path: 'link', type: 'symlink', target: '..' }),
      anEntry({ path: 'link/out', type: 'fifo' }),
    ],
    'entries out of order': [root, anEntry({ path: 'b' }), anEntry({ path: 'a' })],
    'an entry twice': [root, anEntry({ path: 'b' }), anEntry({ path: 'b' })],
    'no root': [anEntry({ path: 'b' })],
    'a hard link that climbs': [root, anEntry({ path: 'b', type: 'hardlink', target: '../x' })],
    'a run of what it was not told that we have': [root, { is: 'same', path: 'b', entries: 1 }],
    'a run that climbs': [root, { is: 'same', path: '../b', entries: 1 }],
    'a run of nothing': [root, { is: 'same', path: 'b', entries: 0 }],
    'impossible mode bits': [root, anEntry({ path: 'b', mode: 0o170000 })],
  };
  for (const [name, entries] of Object.entries(lists)) {
    it(`is refused: ${name}`, async () => {
      using space = scratch();
      const error = await offer(space, entries);
      assert.ok(error instanceof Error && 'code' in error);
      assert.equal(error.code, 'ProtocolError');
      assert.equal(existsSync(space.path('out')), false);
    });
  }

  const held = ['a', 'b', 'c'];
  const runs: Readonly<Record<string, WireItem>> = {
    'begins where nothing is': { is: 'same', path: 'aa', entries: 1 },
    'is longer than what is there': { is: 'same', path: 'b', entries: 3 },
  };
  for (const [name, run] of Object.entries(runs)) {
    it(`is refused: a run that ${name}`, async () => {
      using space = scratch();
      const error = await offer(space, [root, run], { held });
      assert.ok(error instanceof Error && 'code' in error && error.code === 'ProtocolError');
      assert.deepEqual(readdirSync(space.path('to')), held);
    });
  }

  it('is refused when its runs are not what it says at the end, and nothing was changed', async () => {
    using space = scratch();
    const tree = { ...treeDigester().finish(), files: 2 };
    const end = { type: 'volumeEnd', volume: 0, items: 2, tree, warnings: {} } as const;
    const error = await offer(space, [root, { is: 'same', path: 'b', entries: 2 }], { held, end });
    assert.ok(error instanceof Error && 'code' in error && error.code === 'TransferMismatch');
    assert.deepEqual(readdirSync(space.path('to')), held);
  });

  it('cannot link to a file outside through a symlink of its own', async () => {
    using space = scratch();
    mkdirSync(space.path('secret'));
    symlinkSync('x', space.path('secret/file'));
    const entries = [
      root,
      anEntry({ path: 'a', type: 'symlink', target: '../secret' }),
      anEntry({ path: 'b', type: 'hardlink', target: 'a/file' }),
    ];
    const error = await offer(space, entries);
    assert.ok(error instanceof Error && 'code' in error && error.code === 'ProtocolError');
    assert.equal(readdirSync(space.path('to')).includes('b'), false);
  });
});

describe('messages', () => {
  it('survive random bytes: refused, never hanging or growing', () => {
    const chance = seededChance(4);
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(Array.from({ length: Math.floor(chance() * 60) }, () => Math.floor(chance() * 256)));
      for (const decode of [decodeItems, decodeWants, decodeData, decodeBundle]) {
        try {
          decode(bytes);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }
    }
  });

  it('bring an entry back as it was', () => {
    const entry = anEntry({
      path: 'd/\xff\n',
      type: 'file',
      mode: 0o6755,
      uid: 0xffffffff,
      gid: 7,
      mtimeNs: -5n,
      size: 2 ** 52,
      xattrs: [{ name: 'user.x', value: Buffer.from([0, 1]) }],
    });
    const writer = byteWriter();
    writeEntry(writer, entry);
    assert.deepEqual(readEntry(byteReader(writer.take())), entry);
  });

  it('larger than their limit break the link', async () => {
    const [one, two] = duplexPair();
    const link = createFrameLink(two, systemClock());
    const header = Buffer.alloc(5);
    header.writeUInt32LE(6 * 1024 * 1024, 0);
    header.writeUInt8(frameTypes.data, 4);
    one.write(header);
    await assert.rejects(link.receive(), { code: 'ProtocolError' });
    one.on('error', () => undefined);
    one.destroy();
  });
});
