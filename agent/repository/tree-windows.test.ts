import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { scratch } from '../mover/testing/test-volumes.ts';
import { openWithKey, packName, type Repository } from './repository.ts';
import { type SnapshotTrees, snapshotTrees } from './restore/snapshot-trees.ts';
import type { ObjectStore } from './store/object-store.ts';
import { latestOf, memoryRepository, save } from './testing/save-and-restore.ts';
import { planWindow } from './tree-windows.ts';

const directories = 300;

async function manyDirectories() {
  using space = scratch();
  const root = space.path('data');
  for (let at = 0; at < directories; at++) {
    mkdirSync(`${root}/d${at}`, { recursive: true });
    writeFileSync(`${root}/d${at}/file`, `${at}`);
  }
  const { store, repository } = await memoryRepository();
  await save(repository, [root]);
  const { tree } = await latestOf(repository);
  const locations = await repository.loadIndex();
  const top = await snapshotTrees(repository, locations).find(tree, root);
  return { store, repository, locations, top: top?.subtree ?? assert.fail('no tree') };
}

const withStore = (repository: Repository, store: ObjectStore): Promise<Repository> =>
  openWithKey(store, repository.key, randomBytes);

async function namesBelow(trees: SnapshotTrees, tree: string): Promise<number> {
  let names = 0;
  for (const { subtree } of await trees.nodes(tree))
    names += 1 + (subtree === undefined ? 0 : await namesBelow(trees, subtree));
  return names;
}

describe('trees read with what lies around them', () => {
  it('come with few requests', async () => {
    const { store, repository, locations, top } = await manyDirectories();
    let requests = 0;
    const get: ObjectStore['get'] = (...asked) => {
      requests++;
      return store.get(...asked);
    };
    const seen = await withStore(repository, { ...store, get });
    assert.equal(await namesBelow(snapshotTrees(seen, locations), top), 2 * directories);
    assert.ok(requests < directories / 20, `${requests} requests`);
  });

  it('are still read when their pack was cut short behind them', async () => {
    const { store, repository, locations, top } = await manyDirectories();
    const whole = snapshotTrees(repository, locations);
    const [first, second] = [...(await whole.nodes(top))].map(
      ({ subtree }) => locations.find(subtree ?? '', 'tree') ?? assert.fail('no tree'),
    );
    assert.ok(first !== undefined && second !== undefined);
    const name = packName(first.pack);
    const pack = store.objects.get(name) ?? assert.fail('no pack');
    store.objects.set(name, pack.subarray(0, first.offset + first.length));
    const trees = snapshotTrees(repository, locations);
    assert.equal(await namesBelow(trees, first.id), 1);
    await assert.rejects(trees.nodes(second.id), { code: 'ObjectTooShort' });
  });

  it('are asked for by themselves when a window came damaged', async () => {
    const { store, repository, locations, top } = await manyDirectories();
    const largest = locations.find(top, 'tree')?.length ?? assert.fail('no tree');
    let damaged = 0;
    const get: ObjectStore['get'] = async (name, range, signal) => {
      const bytes = await store.get(name, range, signal);
      if ((range?.length ?? 0) <= largest) return bytes;
      damaged++;
      return bytes.fill(0);
    };
    const hurt = await withStore(repository, { ...store, get });
    assert.equal(await namesBelow(snapshotTrees(hurt, locations), top), 2 * directories);
    assert.ok(damaged > 0);
  });
});

describe('the window around a tree', () => {
  const cases = [
    ['has it in the middle', { offset: 500_000, length: 1000 }, { wanted: 0, endOfPack: 9e6 }, [467_732, 65_536]],
    ['begins no earlier than its pack', { offset: 10, length: 1000 }, { wanted: 0, endOfPack: 9e6 }, [0, 65_536]],
    [
      'ends with what is known of it',
      { offset: 99_000, length: 1000 },
      { wanted: 0, endOfPack: 1e5 },
      [34_464, 65_536],
    ],
    ['is no larger than its pack', { offset: 10, length: 1000 }, { wanted: 1e6, endOfPack: 2000 }, [0, 2000]],
    ['grows with what was asked for', { offset: 5e6, length: 1001 }, { wanted: 1e5, endOfPack: 9e6 }, [4_950_500, 1e5]],
    ['has a bound', { offset: 5e6, length: 1000 }, { wanted: 1e9, endOfPack: 9e6 }, [4_476_212, 1_048_576]],
    ['is it alone where nothing is known', { offset: 10, length: 1000 }, { wanted: 0, endOfPack: 0 }, [0, 1010]],
  ] as const;
  for (const [what, blob, given, [offset, length]] of cases)
    it(what, () => assert.deepEqual(planWindow(blob, { least: 65_536, ...given }), { offset, length }));
});
