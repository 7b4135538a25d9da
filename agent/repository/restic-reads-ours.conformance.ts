import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { chanceBytes, digestOf, type Scratch, scratch, seededChance } from '../mover/testing/test-volumes.ts';
import { canTell, fillWithEverything, listing } from '../mover/testing/tree-of-everything.ts';
import { byPassphrase } from './keys/unlock.ts';
import { initRepository, openRepository, type Repository } from './repository.ts';
import { dumpFile } from './restore/dump.ts';
import { snapshotTrees } from './restore/snapshot-trees.ts';
import { directoryStore } from './store/directory-store.ts';
import { bringBack, save } from './testing/save-and-restore.ts';
import { checkWithRestic, restic, resticBeside, resticMissing } from './testing/stock-restic.ts';

const password = 'a password';
const owner = { created: new Date(0), username: 'root', hostname: 'here' };
const storeIn = (space: Scratch) => directoryStore(space.path('repo'), randomUUID);
const openIn = (space: Scratch): Promise<Repository> =>
  openRepository(storeIn(space), byPassphrase(password), randomBytes);

/** Seeded content of every size that is treated differently. */
function fillWithSizes(root: string, seed: number, largest = 9_000_001): void {
  const chance = seededChance(seed);
  mkdirSync(root, { recursive: true });
  for (const size of [1, 4096, 524_288, 524_289, 1_048_576, 2_000_001, largest])
    writeFileSync(`${root}/size-${size}`, chanceBytes(chance, size));
  writeFileSync(`${root}/text`, 'the same words again and again\n'.repeat(100_000));
  writeFileSync(`${root}/holes`, 'begin');
  truncateSync(`${root}/holes`, 8 * 1024 * 1024);
  mkdirSync(`${root}/many`);
  for (let at = 0; at < 600; at++) writeFileSync(`${root}/many/${at}`, `number ${at}`);
}

const skip = resticMissing === false && canTell ? false : 'needs restic, root and python3';

describe('repositories that stock restic and we share', { skip }, () => {
  it('what we save it checks, restores and dumps', async () => {
    using space = scratch();
    const root = space.path('data');
    // All threads read parts of the largest.
    fillWithSizes(`${root}/sizes`, 5, 40 * 1024 * 1024);
    fillWithEverything(root);
    // restic makes no sockets.
    rmSync(`${root}/socket`);
    const repository = await initRepository(storeIn(space), password, owner, randomBytes);
    const result = await save(repository, [root], { threads: 2, level: 3 });
    assert.deepEqual(result.problems, []);
    checkWithRestic(space.path('repo'), password);
    const content = restic(space.path('repo'), password, 'dump', 'latest', `${root}/sizes/size-2000001`);
    assert.deepEqual(content, readFileSync(`${root}/sizes/size-2000001`));
    restic(space.path('repo'), password, 'restore', 'latest', '--target', space.path('theirs'));
    const theirs = `${space.path('theirs')}${root}`;
    assert.equal(listing(theirs), listing(root));
    assert.equal((await digestOf(theirs)).digest, (await digestOf(root)).digest);
  });

  it('what we save we restore with all metadata, and verify it', async () => {
    using space = scratch();
    const root = space.path('data');
    fillWithSizes(`${root}/sizes`, 6);
    fillWithEverything(root);
    const repository = await initRepository(storeIn(space), password, owner, randomBytes);
    await save(repository, [root], { threads: 2, level: 3 });
    const target = space.path('target');
    const result = await bringBack(await openIn(space), root, target, { threads: 2 });
    assert.deepEqual(result.degraded, {});
    assert.equal(listing(target), listing(root));
    assert.equal((await digestOf(target)).digest, (await digestOf(root)).digest);
  });

  it('what both save at the same time is whole', async () => {
    using space = scratch();
    const [one, other] = [space.path('one'), space.path('other')];
    fillWithSizes(one, 8);
    fillWithSizes(other, 9);
    const repository = await initRepository(storeIn(space), password, owner, randomBytes);
    const theirs = resticBeside(space.path('repo'), password, 'backup', other);
    await save(repository, [one], { threads: 2 });
    await theirs;
    checkWithRestic(space.path('repo'), password);
    for (const snapshot of await repository.snapshots()) {
      const [root = ''] = snapshot.paths;
      const target = space.path(`back-${root.split('/').at(-1)}`);
      await bringBack(await openIn(space), root, target, { snapshot, threads: 2 });
      assert.equal(listing(target), listing(root));
    }
    assert.equal((await repository.snapshots()).length, 2);
  });

  it('a backup that ended before its time is gone on with, not done again', async () => {
    using space = scratch();
    const root = space.path('data');
    mkdirSync(root);
    for (let at = 0; at < 5; at++) writeFileSync(`${root}/${at}`, randomBytes(20_000_001));
    const repository = await initRepository(storeIn(space), password, owner, randomBytes);
    let packs = 0;
    const putPack: Repository['putPack'] = async (bytes, signal) => {
      packs++;
      if (packs > 4) throw new Error('killed');
      return await repository.putPack(bytes, signal);
    };
    const options = { threads: 1, indexEveryMs: 0, parent: undefined };
    await assert.rejects(save({ ...repository, putPack }, [root], options), /killed/);
    assert.deepEqual(await repository.snapshots(), []);
    const again = await save(repository, [root], options);
    assert.ok(again.bytesAdded < 60_000_000, `${again.bytesAdded}`);
    checkWithRestic(space.path('repo'), password);
    await bringBack(repository, root, space.path('back'), { threads: 2 });
    assert.equal(listing(space.path('back')), listing(root));
  });

  it('what it saves we restore; both go on from there in turns', async () => {
    using space = scratch();
    const root = space.path('data');
    fillWithSizes(`${root}/sizes`, 7);
    fillWithEverything(root);
    rmSync(`${root}/socket`);
    restic(space.path('repo'), password, 'init');
    restic(space.path('repo'), password, 'backup', root);
    const repository = await openIn(space);
    const first = space.path('first');
    await bringBack(repository, root, first, { threads: 2 });
    const locations = await repository.loadIndex();
    const tree = (await repository.snapshots()).at(-1)?.tree ?? '';
    const node = await snapshotTrees(repository, locations).find(tree, `${root}/sizes/text`);
    assert.ok(node);
    const dumped = Buffer.concat(await Array.fromAsync(dumpFile(repository, locations, node)));
    assert.deepEqual(dumped, readFileSync(`${root}/sizes/text`));
    assert.equal(listing(first), listing(root));
    writeFileSync(`${root}/sizes/text`, 'changed by us');
    await save(repository, [root], { threads: 2 });
    writeFileSync(`${root}/sizes/many/7`, 'changed for restic');
    restic(space.path('repo'), password, 'backup', root);
    const last = space.path('last');
    await bringBack(await openIn(space), root, last, { threads: 2 });
    assert.equal(listing(last), listing(root));
    checkWithRestic(space.path('repo'), password);
    assert.equal((await repository.snapshots()).length, 3);
  });
});
