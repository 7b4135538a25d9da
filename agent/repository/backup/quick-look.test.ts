import assert from 'node:assert/strict';
import { closeSync, linkSync, lstatSync, mkdirSync, openSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { openSyscalls } from '../../mover/syscalls.ts';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { encodeNodeHead, treeEnd, treeStart, withContent, withSubtree } from '../format/tree.ts';
import { type ParentCursor, parentCursor } from './parent-nodes.ts';
import { quickLook } from './quick-look.ts';
import { nodeStats } from './save-entries.ts';

const blobs = ['ab'.repeat(32), 'cd'.repeat(32)];
const known = { has: () => true };
const later = BigInt(Date.now() + 60_000) * 1_000_000n;
const syscalls = openSyscalls();
const lookFrom = (trustBefore = later) => quickLook(syscalls.lookAt ?? assert.fail('no statx'), trustBefore);

function nodeOf(root: string, name: string, ids: readonly string[] = blobs): string {
  const stats = nodeStats(lstatSync(`${root}/${name}`, { bigint: true }));
  const head = encodeNodeHead({ ...stats, name, linkTarget: stats.type === 'symlink' ? 'x' : '', xattrs: [] });
  if (stats.type === 'dir') return withSubtree(head, 'ef'.repeat(32));
  return withContent(head, stats.type === 'file' ? ids : undefined);
}

const cursorOf = (texts: readonly string[], has: (id: Uint8Array) => boolean = known.has): ParentCursor =>
  parentCursor(
    { json: new Uint8Array(Buffer.from(`${treeStart}${texts.join()}${treeEnd}`)), tree: 'x' },
    { has },
    later,
  );

/** Some files with times of all kinds. */
function fill(root: string): readonly string[] {
  mkdirSync(root);
  for (const [at, seconds] of [0, 1, 1.5, 1_700_000_000.123456, -5, -5.25, 1_600_000_000.5].entries()) {
    writeFileSync(`${root}/f${at}`, 'x'.repeat(at * 1000));
    utimesSync(`${root}/f${at}`, seconds, seconds);
  }
  linkSync(`${root}/f1`, `${root}/g`);
  return ['f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'g'];
}

function inDirectory<Result>(root: string, run: (fd: number) => Result): Result {
  const fd = openSync(root, 'r');
  try {
    return run(fd);
  } finally {
    closeSync(fd);
  }
}

describe('a file that is looked at', () => {
  it('is recognized in the text of its node, whatever its times', () => {
    using space = scratch();
    const root = space.path('files');
    const names = fill(root);
    const texts = names.map((name) => nodeOf(root, name, name === 'f0' ? [] : blobs));
    const cursor = cursorOf(texts);
    const look = lookFrom();
    inDirectory(root, (fd) => {
      for (const [at, name] of names.entries()) {
        const node = cursor.find(name) ?? assert.fail(name);
        assert.equal(look.look(fd, name) && node.isAsSeen(look), true, name);
        assert.equal(node.text(), texts[at]);
      }
    });
    assert.equal(cursor.isEveryFound(), true);
  });

  it('is not when anything that tells of its content differs', () => {
    using space = scratch();
    const root = space.path('files');
    fill(root);
    const text = nodeOf(root, 'f3');
    const inode = `${lstatSync(`${root}/f3`).ino}`;
    const others = {
      size: text.replace('"size":3000', '"size":3001'),
      inode: text.replace(`"inode":${inode}`, `"inode":${inode}1`),
      mtime: text.replace(/("mtime":"[^"]+).Z"/, '$19Z"'),
      'second of mtime': text.replace('22:13:20.', '22:13:21.'),
      ctime: text.replace(/"ctime":"20(\d\d)/, '"ctime":"21$1'),
      type: text.replace('"type":"file"', '"type":"fifo"'),
    };
    const look = lookFrom();
    inDirectory(root, (fd) => {
      for (const [what, other] of Object.entries(others)) {
        assert.notEqual(other, text, what);
        assert.equal(look.look(fd, 'f3') && cursorOf([other]).find('f3')?.isAsSeen(look), false, what);
      }
      assert.equal(look.look(fd, 'f3') && cursorOf([text]).find('f3')?.isAsSeen(look), true);
      // Another device: a clone of the volume.
      const cloned = text.replace(/"device_id":\d+/, '"device_id":1');
      assert.equal(look.look(fd, 'f3') && cursorOf([cloned]).find('f3')?.isAsSeen(look), true);
      const lacksOne = (id: Uint8Array) => id[0] === 0xab;
      assert.equal(look.look(fd, 'f3') && cursorOf([text], lacksOne).find('f3')?.isAsSeen(look), false);
      const recent = lookFrom(lstatSync(`${root}/f3`, { bigint: true }).ctimeNs);
      assert.equal(recent.look(fd, 'f3') && cursorOf([text]).find('f3')?.isAsSeen(recent), false);
    });
  });

  it('is not when it is no regular file, or its node has another form; the ones behind it are found', () => {
    using space = scratch();
    const root = space.path('files');
    fill(root);
    symlinkSync('f0', `${root}/h`);
    mkdirSync(`${root}/i`);
    writeFileSync(`${root}/j"\xff`, 'x');
    writeFileSync(`${root}/k`, '');
    const spaced = nodeOf(root, 'g').replaceAll(',"', ', "');
    const texts = [
      nodeOf(root, 'f1'),
      spaced,
      nodeOf(root, 'h'),
      nodeOf(root, 'i'),
      nodeOf(root, 'j"\xff'),
      nodeOf(root, 'k'),
    ];
    const cursor = cursorOf(texts);
    const look = lookFrom();
    const seen = inDirectory(root, (fd) =>
      ['f1', 'g', 'h', 'i', 'k'].map((name) => {
        const node = cursor.find(name) ?? assert.fail(name);
        return look.look(fd, name) && node.isAsSeen(look);
      }),
    );
    assert.deepEqual(seen, [true, false, false, false, true]);
    // `j"` was passed over.
    assert.equal(cursor.isEveryFound(), false);
    const stats = nodeStats(lstatSync(`${root}/g`, { bigint: true }));
    assert.equal(cursorOf([spaced]).find('g')?.isUnchanged(stats), true);
  });
});
