import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { openKnownTree } from './known-tree.ts';
import { openSyscalls } from './syscalls.ts';
import { type Scratch, scratch } from './testing/test-volumes.ts';
import { treeDigester } from './tree-digest.ts';
import { createTreeFile, openTreeCursor } from './tree-file.ts';
import { type FoundEntry, openWalk, walkTree } from './walk.ts';

const syscalls = openSyscalls();
const byNodeAlone = { lookAt: undefined };
const nothingGone = () => ({ vanished: 0 });

/** All kinds of entries, names that are no text, times before 1970 and far from now, a file with holes and one beyond 4 GiB. */
function manyKinds(space: Scratch): string {
  const root = space.path('tree');
  mkdirSync(`${root}/d/deep`, { recursive: true });
  for (const name of ['a', 'a-b', 'a.b', 'z']) writeFileSync(`${root}/d/${name}`, name.repeat(7));
  writeFileSync(Buffer.from(`${root}/d/\xff\xfe`, 'latin1'), 'no text');
  writeFileSync(`${root}/d/${'n'.repeat(255)}`, 'long');
  writeFileSync(`${root}/empty`, '');
  symlinkSync('nowhere', `${root}/d/deep/link`);
  linkSync(`${root}/d/a`, `${root}/d/deep/other-name`);
  execFileSync('mkfifo', [`${root}/fifo`]);
  writeFileSync(`${root}/large`, '');
  truncateSync(`${root}/large`, 5 * 2 ** 30 + 1);
  chmodSync(`${root}/d/z`, 0o4751);
  for (const [at, name] of [
    ['@-2.000000001', 'd/a-b'],
    ['@-1.999999999', 'd/z'],
    ['@4294967296.999999999', 'empty'],
    ['@0.5', 'd/deep'],
  ])
    execFileSync('touch', ['-h', '-d', `${at}`, `${root}/${name}`]);
  return root;
}

const found = (root: string, by: Pick<typeof syscalls, 'lookAt'>): readonly FoundEntry[] => [
  ...walkTree(root, by, nothingGone()),
];

describe('a walk', () => {
  it('finds the same by one call an entry and by node alone, to the nanosecond', () => {
    using space = scratch();
    const root = manyKinds(space);
    const fast = found(root, syscalls);
    assert.deepEqual(fast, found(root, byNodeAlone));
    assert.equal(fast.length, 14);
    for (const { entry, inode, changedNs } of fast) {
      const path = Buffer.from(entry.path === '' ? root : `${root}/${entry.path}`, 'latin1');
      const { ino, ctimeNs, mtimeNs, size } = lstatSync(path, { bigint: true });
      assert.deepEqual([inode, changedNs, entry.mtimeNs], [ino, ctimeNs, mtimeNs], entry.path);
      if (entry.type === 'file') assert.equal(BigInt(entry.size), size);
    }
  });

  it('counts what is gone when it comes to it, and goes on', () => {
    using space = scratch();
    const root = space.path('tree');
    for (const name of ['a', 'b', 'c']) mkdirSync(`${root}/${name}/x`, { recursive: true });
    const counts = nothingGone();
    const seen: string[] = [];
    for (const { entry } of walkTree(root, syscalls, counts)) {
      seen.push(entry.path);
      if (entry.path !== 'a') continue;
      rmSync(`${root}/a`, { recursive: true });
      rmSync(`${root}/b`, { recursive: true });
    }
    assert.deepEqual(seen, ['', 'a', 'c', 'c/x']);
    assert.equal(counts.vanished, 2);
  });

  it('follows no directory that became a link', () => {
    using space = scratch();
    const root = space.path('tree');
    mkdirSync(`${root}/a/x`, { recursive: true });
    mkdirSync(space.path('elsewhere/secret'), { recursive: true });
    const seen: string[] = [];
    for (const { entry } of walkTree(root, syscalls, nothingGone())) seen.push(entry.path);
    renameSync(`${root}/a`, `${root}/b`);
    symlinkSync(space.path('elsewhere'), `${root}/a`);
    for (const { entry } of walkTree(root, syscalls, nothingGone())) seen.push(entry.path);
    assert.deepEqual(seen, ['', 'a', 'a/x', '', 'a', 'b', 'b/x']);
  });
});

/** A tree file of what a walk finds, each file with a made-up hash for its content. */
function remembered(space: Scratch, root: string): string {
  const file = space.path('tree-file');
  const writer = createTreeFile(file);
  for (const one of walkTree(root, syscalls, nothingGone())) {
    writer.addEntry({ found: one, settled: true });
    const { type, size } = one.entry;
    if (type !== 'file') continue;
    for (let segment = 0; segment * 4 * 2 ** 20 < size; segment++)
      writer.addSegment(Buffer.alloc(32, segment + 1), undefined);
  }
  writer.close('Cached');
  return file;
}

describe('a run of what a walk finds as it is remembered', () => {
  it('digests, and is written again, as its entries one by one', () => {
    using space = scratch();
    const root = manyKinds(space);
    const file = remembered(space, root);
    const known = openKnownTree({ file, root: null });
    const copy = space.path('copy');
    const writer = createTreeFile(copy);
    const inRuns = treeDigester();
    let met = 0;
    const walk = openWalk(root, syscalls, nothingGone());
    const takeRun = () => {
      const run = known.takeRun();
      if (run === undefined) return;
      inRuns.addRun(run);
      writer.addRun(run);
    };
    while (walk.next()) {
      if (known.extendRun(walk)) {
        met++;
        continue;
      }
      takeRun();
      const one = walk.found();
      const meeting = known.meet(one);
      assert.ok(meeting.is === 'Same', walk.path);
      inRuns.addEntry(meeting.entry);
      writer.addEntry({ found: { ...one, entry: meeting.entry }, settled: true, encoded: meeting.encoded });
      for (let next = known.nextSegment(); next !== undefined; next = known.nextSegment()) {
        inRuns.addSegment(next.hash);
        writer.addSegment(next.hash, next.tags);
      }
    }
    takeRun();
    writer.close('Cached');
    assert.ok(known.isSame('Ended'));
    // All but the root, both names of a file, the fifo and the large file.
    assert.equal(met, 14 - 5);
    const readBack = (from: string) => {
      const digester = treeDigester();
      const cursor = openTreeCursor(from);
      for (let next = cursor.nextEntry(); next !== undefined; next = cursor.nextEntry()) {
        digester.addEntry(next.found.entry);
        for (let own = cursor.nextSegment(); own !== undefined; own = cursor.nextSegment())
          digester.addSegment(own.hash);
      }
      cursor.close();
      return digester.finish();
    };
    const expected = readBack(file);
    assert.deepEqual(inRuns.finish(), expected);
    assert.deepEqual(readBack(copy), expected);
  });

  for (const [what, change] of [
    ['its mode', (file: string) => chmodSync(file, 0o600)],
    ['its content', (file: string) => writeFileSync(file, 'other')],
    ['its time alone', (file: string) => execFileSync('touch', ['-d', '@7', file])],
    [
      'its place, taken by its copy',
      (file: string) => {
        execFileSync('cp', ['-p', file, `${file}.new`]);
        renameSync(`${file}.new`, file);
      },
    ],
    ['another name', (file: string) => linkSync(file, `${file}.link`)],
  ] as const)
    it(`ends at a file that changed ${what}`, () => {
      using space = scratch();
      const root = manyKinds(space);
      const known = openKnownTree({ file: remembered(space, root), root: null });
      change(`${root}/d/a-b`);
      const walk = openWalk(root, syscalls, nothingGone());
      const differing: string[] = [];
      while (walk.next()) {
        if (!known.extendRun(walk) && known.meet(walk.found()).is !== 'Same') differing.push(walk.path);
        known.takeRun();
      }
      assert.ok(differing.includes('d/a-b'), `${differing}`);
      assert.equal(known.isSame('Ended'), false);
    });

  it('ends at what was written so shortly before that a second change could have the same time', () => {
    using space = scratch();
    const root = manyKinds(space);
    const file = remembered(space, root);
    const changedNs = lstatSync(`${root}/d/a-b`, { bigint: true }).ctimeNs;
    for (const [settledNs, expected] of [
      [changedNs, 'New'],
      [changedNs + 1n, 'Same'],
    ] as const) {
      const known = openKnownTree({ file, root: null, settledNs });
      const walk = openWalk(root, syscalls, nothingGone());
      while (walk.next() && walk.path !== 'd/a-b') if (!known.extendRun(walk)) known.meet(walk.found());
      assert.equal(known.extendRun(walk), expected === 'Same');
      known.close();
      walk.close();
    }
  });
});
