/** tidy: ambient-calls because files are as old as now. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type Scratch, scratch } from '../../mover/testing/test-volumes.ts';
import { snapshotTrees } from '../restore/snapshot-trees.ts';
import { memoryRepository, save } from '../testing/save-and-restore.ts';

/** A directory that is one step of the walk, one that takes several, directories beside files, an empty one. */
function fill(space: Scratch): string {
  const root = space.path('data');
  for (const name of ['leaf', 'wide/inner', 'both/below', 'empty']) mkdirSync(`${root}/${name}`, { recursive: true });
  for (let at = 0; at < 540; at++) writeFileSync(`${root}/wide/f${at}`, `wide ${at}`);
  for (let at = 0; at < 40; at++) writeFileSync(`${root}/leaf/f${at}\n`, `leaf ${at}`);
  for (const name of ['both/a', 'both/z', 'both/below/one', 'wide/inner/one']) writeFileSync(`${root}/${name}`, name);
  symlinkSync('a', `${root}/both/link`);
  return root;
}

const old = new Date('2020-01-01T00:00:00Z');
const changes: Readonly<Record<string, (root: string) => void>> = {
  nothing: () => undefined,
  'a file of a leaf': (root) => appendFileSync(`${root}/leaf/f7\n`, 'more'),
  'a file of many': (root) => appendFileSync(`${root}/wide/f300`, 'more'),
  'new and removed names': (root) => {
    writeFileSync(`${root}/wide/e`, 'first');
    writeFileSync(`${root}/wide/z`, 'last');
    for (const name of ['wide/f5', 'leaf/f39\n', 'both/link']) rmSync(`${root}/${name}`);
  },
  'a name': (root) => renameSync(`${root}/leaf/f3\n`, `${root}/leaf/f3`),
  'a kind': (root) => {
    rmSync(`${root}/both/a`);
    mkdirSync(`${root}/both/a`);
    rmSync(`${root}/both/below`, { recursive: true });
    writeFileSync(`${root}/both/below`, 'a file now');
  },
  'times alone': (root) => utimesSync(`${root}/leaf/f1\n`, old, old),
};

describe('a backup with a parent has the tree that one without has', () => {
  for (const [what, change] of Object.entries(changes))
    it(`after a change of: ${what}`, async () => {
      using space = scratch();
      const root = fill(space);
      const { repository } = await memoryRepository();
      const describe = { time: new Date(Date.now() + 60_000), hostname: 'h', username: 'u', tags: [], excludes: [] };
      const options = { describe, threads: 2 };
      await save(repository, [root], options);
      change(root);
      const withParent = await save(repository, [root], options);
      const without = await save(repository, [root], { ...options, parent: undefined });
      // Those above it are everybody's, and change meanwhile.
      const trees = snapshotTrees(repository, await repository.loadIndex());
      const subtree = async (tree: string) => (await trees.find(tree, root))?.subtree;
      assert.equal(await subtree(withParent.tree), await subtree(without.tree));
      assert.equal(withParent.entries, without.entries);
      assert.equal(without.unchanged, 0);
      assert.ok(withParent.unchanged > 560 - 5);
      assert.ok(withParent.filesRead <= 2, `${withParent.filesRead} files were read`);
    });
});
