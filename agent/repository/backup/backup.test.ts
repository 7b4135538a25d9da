import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { systemClock } from '../../../kube/clock.ts';
import { type Scratch, scratch } from '../../mover/testing/test-volumes.ts';
import type { BlobLocation } from '../blob-locations.ts';
import { newMasterKey } from '../format/key-file.ts';
import { readTree, type TreeNode } from '../format/tree.ts';
import { openWithKey, type Repository } from '../repository.ts';
import { type MemoryStore, memoryStore } from '../store/memory-store.ts';
import { makeRepository } from '../testing/make-repository.ts';
import { type BackupResult, backup } from './backup.ts';

const key = newMasterKey(randomBytes);

async function repositoryIn(store: MemoryStore): Promise<Repository> {
  await makeRepository(store, key);
  return await openWithKey(store, key, randomBytes);
}

const save = (repository: Repository, ...paths: readonly string[]) => saveWithin(repository, undefined, ...paths);

async function saveWithin(
  repository: Repository,
  treeLimitBytes: number | undefined,
  ...paths: readonly string[]
): Promise<BackupResult> {
  // What changed shortly before a backup is read again by the next one: these files shall count as old.
  const described = { time: new Date(Date.now() + 60_000), hostname: 'h', username: 'u', tags: [], excludes: [] };
  return await backup({
    repository,
    paths,
    describe: described,
    parent: (await repository.snapshots()).at(-1),
    level: 1,
    threads: 1,
    signal: new AbortController().signal,
    clock: systemClock(),
    treeLimitBytes,
  });
}

/** The node at an absolute path of a snapshot. */
async function nodeAt(repository: Repository, tree: string, path: string): Promise<TreeNode | undefined> {
  const locations = await repository.loadIndex();
  let node: TreeNode | undefined;
  let subtree: string | undefined = tree;
  for (const name of path.split('/').slice(1)) {
    const blob: BlobLocation | undefined = subtree === undefined ? undefined : locations.find(subtree, 'tree');
    if (blob === undefined) return undefined;
    node = [...readTree(await repository.readBlob(blob), 'test')].find((one) => one.name === name);
    subtree = node?.subtree;
  }
  return node;
}

async function contentOf(repository: Repository, node: TreeNode | undefined): Promise<Buffer> {
  const locations = await repository.loadIndex();
  const blobs = (node?.content ?? []).map((id) => locations.find(id, 'data'));
  return Buffer.concat(
    await Promise.all(blobs.map((blob) => (blob ? repository.readBlob(blob) : assert.fail('no blob')))),
  );
}

function fill(space: Scratch): string {
  const root = space.path('data');
  mkdirSync(`${root}/same/same`, { recursive: true });
  writeFileSync(`${root}/small`, 'small');
  writeFileSync(`${root}/chunks`, Buffer.concat([randomBytes(1_500_000), Buffer.from('x')]));
  writeFileSync(`${root}/pages`, randomBytes(1024 * 1024));
  writeFileSync(`${root}/same/same/deep`, 'deep');
  writeFileSync(`${root}/empty`, '');
  symlinkSync('small', `${root}/link`);
  return root;
}

describe('a backup', () => {
  it('holds every name and byte; the next one adds only what changed', async () => {
    using space = scratch();
    const root = fill(space);
    const store = memoryStore();
    const repository = await repositoryIn(store);
    const first = await save(repository, root);
    assert.equal(first.problemCount, 0);
    for (const name of ['small', 'chunks', 'pages', 'same/same/deep', 'empty']) {
      const node = await nodeAt(repository, first.tree, `${root}/${name}`);
      assert.deepEqual(await contentOf(repository, node), readFileSync(`${root}/${name}`), name);
    }
    assert.equal((await nodeAt(repository, first.tree, `${root}/link`))?.linkTarget, 'small');
    const again = await save(repository, root);
    // Others change the directories above; this one is as it was.
    const subtree = async (tree: string) => (await nodeAt(repository, tree, root))?.subtree;
    assert.equal(await subtree(again.tree), await subtree(first.tree));
    assert.equal(again.filesRead, 0);
    assert.equal(again.bytesUnchanged, 5 + 1_500_001 + 1024 * 1024 + 4);
    assert.equal((await repository.snapshots()).length, 2);
    writeFileSync(`${root}/small`, 'changed');
    const third = await save(repository, root);
    assert.equal(
      (await contentOf(repository, await nodeAt(repository, third.tree, `${root}/small`))).toString(),
      'changed',
    );
  });

  it('names a path that is not there, and takes the others', async () => {
    using space = scratch();
    const root = fill(space);
    const repository = await repositoryIn(memoryStore());
    const result = await save(repository, `${root}/small`, `${root}/absent`);
    assert.deepEqual(
      result.problems.map(({ path, message }) => [path, message]),
      [[`${root}/absent`, 'ENOENT']],
    );
    assert.equal((await nodeAt(repository, result.tree, `${root}/small`))?.size, 5);
    assert.equal(await nodeAt(repository, result.tree, `${root}/chunks`), undefined);
  });

  it('leaves out and names a directory whose list is longer than any reader takes', async () => {
    using space = scratch();
    const root = fill(space);
    mkdirSync(`${root}/large/inner`, { recursive: true });
    for (let at = 0; at < 40; at++) writeFileSync(`${root}/large/${at}`, '');
    const repository = await repositoryIn(memoryStore());
    const result = await saveWithin(repository, 8_000, root);
    assert.deepEqual(
      result.problems.map(({ path, kind }) => [path, kind]),
      [[`${root}/large`, 'unreadable']],
    );
    assert.equal(result.leftOutCount, 1);
    assert.equal(await nodeAt(repository, result.tree, `${root}/large`), undefined);
    assert.equal((await nodeAt(repository, result.tree, `${root}/same/same/deep`))?.size, 4);
    assert.equal((await saveWithin(repository, 80_000, root)).problemCount, 0);
  });

  it('that cannot store leaves no snapshot', async () => {
    using space = scratch();
    const root = fill(space);
    const store = memoryStore();
    const whole = await repositoryIn(store);
    const refuse = async () => Promise.reject(new Error('no room'));
    const repository = { ...whole, putPack: refuse };
    await assert.rejects(save(repository, root), /no room/);
    assert.deepEqual(await whole.snapshots(), []);
  });

  it('reads everything again when the parent lacks its blobs', async () => {
    using space = scratch();
    const root = fill(space);
    const store = memoryStore();
    const repository = await repositoryIn(store);
    await save(repository, root);
    for (const name of [...store.objects.keys()]) if (/^(data|index)\//.test(name)) store.objects.delete(name);
    const again = await save(repository, root);
    assert.equal(
      (await contentOf(repository, await nodeAt(repository, again.tree, `${root}/small`))).toString(),
      'small',
    );
    rmSync(root, { recursive: true });
  });
});
