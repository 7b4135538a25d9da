import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { digestOf, type Scratch, scratch } from '../../mover/testing/test-volumes.ts';
import { packName } from '../repository.ts';
import { pathFilter } from '../select-paths.ts';
import { bringBack, latestOf, memoryRepository, save, type TestRepository } from '../testing/save-and-restore.ts';
import { snapshotTrees } from './snapshot-trees.ts';

interface Saved extends TestRepository, AsyncDisposable {
  readonly space: Scratch;
  readonly root: string;
  readonly target: string;
}

async function saved(): Promise<Saved> {
  const space = scratch();
  const root = space.path('data');
  mkdirSync(`${root}/deep/er`, { recursive: true });
  writeFileSync(`${root}/small`, 'small');
  writeFileSync(`${root}/other.txt`, 'other');
  writeFileSync(`${root}/large`, randomBytes(3 * 1024 * 1024));
  writeFileSync(
    `${root}/huge`,
    Buffer.concat([randomBytes(5_000_000), Buffer.alloc(4_000_000), randomBytes(1_000_001)]),
  );
  writeFileSync(`${root}/deep/er/file`, 'file');
  linkSync(`${root}/small`, `${root}/deep/small-too`);
  symlinkSync('../small', `${root}/deep/link`);
  const { store, repository } = await memoryRepository();
  await save(repository, [root]);
  const target = space.path('target');
  return { space, root, target, store, repository, [Symbol.asyncDispose]: async () => space[Symbol.dispose]() };
}

const same = async (one: string, two: string) =>
  assert.equal((await digestOf(one)).digest, (await digestOf(two)).digest);

describe('a restore', () => {
  it('of a directory is equal, and doing it again writes nothing', async () => {
    await using one = await saved();
    const first = await bringBack(one.repository, one.root, one.target);
    assert.equal(first.files, 7);
    assert.equal(first.problemCount, 0);
    await same(one.root, one.target);
    const again = await bringBack(one.repository, one.root, one.target);
    // The hard link has two names, so its content is made anew rather than written into.
    assert.equal(again.bytesWritten, 5);
    await same(one.root, one.target);
  });

  it('of the whole snapshot lies below its paths', async () => {
    await using one = await saved();
    await bringBack(one.repository, '', one.target);
    await same(one.root, `${one.target}${one.root}`);
  });

  it('in place writes only what differs, and removes what is new only when asked', async () => {
    await using one = await saved();
    const { root, repository } = one;
    await using kept = await saved();
    const bytes = readFileSync(`${root}/huge`);
    const changed = Buffer.from(bytes);
    changed.fill(1, 2_000_000, 2_000_010);
    // A hole must become one again.
    changed.fill(7, 6_000_000, 6_000_100);
    writeFileSync(`${root}/huge`, changed);
    writeFileSync(`${root}/extra`, 'extra');
    mkdirSync(`${root}/deep/extra/more`, { recursive: true });
    rmSync(`${root}/small`);
    mkdirSync(`${root}/small`);
    rmSync(`${root}/deep/link`);
    symlinkSync(kept.root, `${root}/deep/link`);
    rmSync(`${root}/deep/er`, { recursive: true });
    symlinkSync(kept.root, `${root}/deep/er`);
    const result = await bringBack(repository, root, root);
    assert.ok(result.bytesWritten < 6_000_000, `${result.bytesWritten}`);
    assert.deepEqual(readFileSync(`${root}/huge`), bytes);
    assert.ok(existsSync(`${root}/extra`));
    assert.ok(existsSync(`${root}/deep/extra/more`));
    const again = await bringBack(repository, root, root, { others: 'remove' });
    assert.equal(again.removed, 2);
    assert.deepEqual(readdirSync(`${root}/deep`), ['er', 'link', 'small-too']);
    await bringBack(repository, root, one.target);
    await same(root, one.target);
    // Where symlinks led nothing changed.
    assert.deepEqual(readdirSync(kept.root), ['deep', 'huge', 'large', 'other.txt', 'small']);
    assert.equal(existsSync(`${kept.root}/file`), false);
  });

  it('keeps a full directory where a file belongs, unless others are removed', async () => {
    await using one = await saved();
    rmSync(`${one.root}/small`);
    mkdirSync(`${one.root}/small/full`, { recursive: true });
    const result = await bringBack(one.repository, one.root, one.root, { problems: 'name', verify: false });
    assert.deepEqual(
      result.problems.map(({ path, kind }) => [path.slice(one.root.length), kind]),
      [['/small', 'unwritable']],
    );
    assert.ok(existsSync(`${one.root}/small/full`));
    assert.equal(readFileSync(`${one.root}/deep/small-too`, 'utf8'), 'small');
    await bringBack(one.repository, one.root, one.root, { others: 'remove' });
    assert.equal(readFileSync(`${one.root}/small`, 'utf8'), 'small');
  });

  it("never removes what lies beside the snapshot's paths", async () => {
    await using one = await saved();
    mkdirSync(one.target);
    writeFileSync(`${one.target}/precious`, 'precious');
    mkdirSync(`${one.target}${one.space.root}`, { recursive: true });
    writeFileSync(`${one.target}${one.space.root}/beside`, 'precious');
    await bringBack(one.repository, '', one.target, { others: 'remove' });
    assert.ok(existsSync(`${one.target}/precious`));
    assert.ok(existsSync(`${one.target}${one.space.root}/beside`));
  });

  it('of chosen paths makes these and what leads there', async () => {
    await using one = await saved();
    await bringBack(one.repository, '', one.target, { filter: pathFilter([`${one.root}/deep/er`, '*.txt'], []) });
    const target = `${one.target}${one.root}`;
    assert.deepEqual(readdirSync(target), ['deep', 'other.txt']);
    assert.deepEqual(readdirSync(`${target}/deep`), ['er']);
    const without = one.space.path('without');
    await bringBack(one.repository, one.root, without, { filter: pathFilter([], ['deep', 'h*ge']) });
    assert.deepEqual(readdirSync(without), ['large', 'other.txt', 'small']);
  });

  it('does not write through another name of a file', async () => {
    await using one = await saved();
    mkdirSync(one.target);
    const outside = one.space.path('outside');
    writeFileSync(outside, 'outside');
    linkSync(outside, `${one.target}/other.txt`);
    await bringBack(one.repository, one.root, one.target);
    assert.equal(readFileSync(outside, 'utf8'), 'outside');
    assert.equal(readFileSync(`${one.target}/other.txt`, 'utf8'), 'other');
  });

  it('refuses wrong bytes; asked to go on, it gives everything else and names what is lost', async () => {
    await using one = await saved();
    for (const name of one.store.objects.keys()) {
      if (!name.startsWith('data/')) continue;
      const bytes = one.store.objects.get(name) ?? Buffer.alloc(0);
      // The first data blob of the pack, whichever file it belongs to.
      if (bytes.length > 1_000_000) bytes[100] = (bytes[100] ?? 0) ^ 1;
    }
    await assert.rejects(bringBack(one.repository, one.root, one.target), { code: 'RestoreIncomplete' });
    const target = one.space.path('rest');
    const result = await bringBack(one.repository, one.root, target, { problems: 'name', verify: false });
    assert.equal(result.problemCount, 1);
    const [lost] = result.problems;
    assert.equal(lost?.kind, 'lost');
    const name = lost.path.slice(one.root.length + 1);
    assert.equal(existsSync(`${target}/${name}`), false);
    assert.ok(existsSync(`${target}/${name}.incomplete`));
    assert.equal(result.files, 6);
    for (const other of ['small', 'large', 'huge', 'other.txt', 'deep/er/file'])
      if (other !== name) assert.deepEqual(readFileSync(`${target}/${other}`), readFileSync(`${one.root}/${other}`));
  });

  it('names a directory whose tree is lost, and never takes its files for superfluous', async () => {
    await using one = await saved();
    mkdirSync(`${one.target}/deep/er`, { recursive: true });
    writeFileSync(`${one.target}/deep/er/file`, 'older');
    const locations = await one.repository.loadIndex();
    const { tree } = await latestOf(one.repository);
    const lost = (await snapshotTrees(one.repository, locations).find(tree, `${one.root}/deep/er`))?.subtree ?? '';
    const { pack, offset } = locations.find(lost, 'tree') ?? assert.fail('no index names the tree');
    const bytes = one.store.objects.get(packName(pack)) ?? assert.fail('the pack is missing');
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    const options = { problems: 'name', others: 'remove', verify: false } as const;
    const result = await bringBack(one.repository, one.root, one.target, options);
    assert.deepEqual(
      result.problems.map(({ path, kind }) => [path, kind]),
      [[`${one.root}/deep/er/`, 'lost']],
    );
    assert.equal(readFileSync(`${one.target}/deep/er/file`, 'utf8'), 'older');
  });

  it('that is verified tells what differs', async () => {
    await using one = await saved();
    let ticks = 0;
    const tamper = () => {
      ticks++;
      if (existsSync(`${one.target}/other.txt`)) utimesSync(`${one.target}/other.txt`, 1, 1);
    };
    const result = await bringBack(one.repository, one.root, one.target, { problems: 'name', onProgress: tamper });
    assert.ok(ticks > 0);
    assert.deepEqual(
      result.problems.map(({ path, kind, message }) => [path, kind, message]),
      [[`${one.root}/other.txt`, 'different', 'differs in time']],
    );
    assert.equal(lstatSync(`${one.target}/other.txt`).mtimeMs, 1000);
  });

  it('tells how far it is inside a large file, as the backup did', async () => {
    using space = scratch();
    const sizeBytes = 80 * 1024 * 1024;
    writeFileSync(space.path('one'), Buffer.alloc(sizeBytes, 'words '));
    const { repository } = await memoryRepository();
    const [read, restored] = [new Set<number>(), new Set<number>()];
    await save(repository, [space.path('one')], { onProgress: ({ bytesRead }) => void read.add(bytesRead) });
    await bringBack(repository, '', space.path('target'), {
      onProgress: ({ phase, bytes }) => void (phase === 'restoring' && restored.add(bytes)),
    });
    for (const told of [read, restored]) {
      const between = [...told].filter((bytes) => bytes > 0 && bytes < sizeBytes);
      assert.ok(between.length > 0, `told ${[...told].join(' ')}`);
      assert.equal(Math.max(...told), sizeBytes);
    }
  });

  it('says which path the snapshot lacks', async () => {
    await using one = await saved();
    await assert.rejects(bringBack(one.repository, `${one.root}/nowhere`, one.target), { code: 'PathMissing' });
    await assert.rejects(bringBack(one.repository, `${one.root}/small`, one.target), { code: 'PathMissing' });
  });
});
