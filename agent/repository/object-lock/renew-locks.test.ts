import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { putMark } from '../prune/marks.ts';
import { openWithKey, packName } from '../repository.ts';
import { memoryStore } from '../store/memory-store.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { storeRefused } from '../store/store-error.ts';
import { idOf } from '../store/testing/store-suite.ts';
import { versionedStore } from '../store/testing/versioned-store.ts';
import { makeRepository } from '../testing/make-repository.ts';
import { testKey } from '../testing/write-restore-point.ts';
import { type RenewOptions, renewLocks } from './renew-locks.ts';

const dayMs = 86_400_000;

/** Whose puts lock for ten days, all but stock restic's. */
async function world() {
  const clock = manualClock();
  const inDays = (days: number) => new Date(clock.now().getTime() + days * dayMs);
  const store = versionedStore({
    now: () => clock.now(),
    lockOf: (name) => (name.startsWith('locks/') ? undefined : { mode: 'COMPLIANCE', until: inDays(10) }),
    pageObjects: 2,
  });
  await makeRepository(store, testKey);
  const open = (one: ObjectStore) => openWithKey(one, testKey, randomBytes);
  const repository = await open(store);
  const terms = (): RenewOptions => ({
    ...{ now: clock.now(), days: 10, withinDays: 5, mode: 'GOVERNANCE', effects: 'Done' },
  });
  const lockOf = async (name: string) => {
    const [version] = (await store.versions.of(name)).slice(-1);
    return version && (await store.versions.lockOf(name, version.id));
  };
  return { clock, inDays, store, repository, open, terms, lockOf };
}

describe('renewing locks', () => {
  it('an old pack that a new restore point uses stays locked as long as the new one', async () => {
    const { clock, inDays, repository, terms, lockOf } = await world();
    const old = await repository.putPack(Buffer.from('old pack'));
    await clock.advance(8 * dayMs);
    const young = await repository.putPack(Buffer.from('new pack'));
    const ends = (await lockOf(packName(old)))?.until;
    assert.deepEqual(ends, inDays(2), 'without renewal the new point is whole for two days only');
    const result = await renewLocks(repository, terms());
    assert.deepEqual([result.needed, result.extended, result.locked, result.lockedUntil], [3, 2, 0, inDays(10)]);
    for (const pack of [old, young])
      assert.deepEqual(await lockOf(packName(pack)), { mode: 'COMPLIANCE', until: inDays(10) });
    const again = await renewLocks(repository, terms());
    assert.deepEqual([again.needed, again.extended, again.lockedUntil], [3, 0, inDays(10)]);
  });

  it('leaves alone what passes and what was removed, and believes no mark: whoever writes one could let locks end', async () => {
    const { clock, inDays, store, repository, terms, lockOf } = await world();
    const [marked, removed] = [await repository.putPack(Buffer.from('1')), await repository.putPack(Buffer.from('2'))];
    await putMark(repository, { time: clock.now(), packs: [marked] }, randomBytes);
    await store.remove(packName(removed));
    await store.put('locks/x', Buffer.of(1));
    await clock.advance(8 * dayMs);
    assert.deepEqual((await renewLocks(repository, terms())).needed, 2, 'the config and a pack');
    assert.deepEqual((await lockOf(packName(marked)))?.until, inDays(10));
    assert.deepEqual((await lockOf(packName(removed)))?.until, inDays(2));
    assert.equal(await lockOf('locks/x'), undefined);
  });

  it('tells an index that can not be read', async () => {
    const { store, repository, terms } = await world();
    const rotten = `index/${idOf(Buffer.from('rotten'))}`;
    store.overwrite(rotten, Buffer.from('rotted'));
    const { damaged, overwritten, lockedUntil } = await renewLocks(repository, terms());
    assert.deepEqual([damaged, overwritten, lockedUntil], [[rotten], [], undefined]);
  });

  it('keeps the right version of what was overwritten, tells it, and tells what is right nowhere', async () => {
    const { clock, inDays, store, repository, terms, lockOf } = await world();
    const name = packName(await repository.putPack(Buffer.from('right')));
    const lost = packName(idOf(Buffer.from('lost')));
    await clock.advance(8 * dayMs);
    store.overwrite(name, Buffer.from('evil'));
    for (const text of ['wrong', 'worse']) store.overwrite(lost, Buffer.from(text));
    const result = await renewLocks(repository, terms());
    assert.deepEqual([result.overwritten, result.damaged, result.lockedUntil], [[name], [lost], undefined]);
    assert.deepEqual((await lockOf(name))?.until, inDays(10));
    const [evil] = await store.versions.of(name);
    assert.equal(evil && (await store.versions.lockOf(name, evil.id)), undefined);
  });

  it('keeps what somebody deleted although an index names it, and tells what is gone for good', async () => {
    const { clock, inDays, store, repository, terms, lockOf } = await world();
    const packs = [await repository.putPack(Buffer.from('deleted')), idOf(Buffer.from('gone'))];
    await repository.putIndex(packs.map((id) => ({ id, blobs: [] })));
    const [deleted = '', gone = ''] = packs.map(packName);
    await clock.advance(8 * dayMs);
    await store.remove(deleted);
    const result = await renewLocks(repository, terms());
    assert.deepEqual([result.removed, result.damaged, result.overwritten], [[deleted], [gone], []]);
    assert.deepEqual((await lockOf(deleted))?.until, inDays(10));
  });

  it('locks what other tools wrote; a dry run changes nothing', async () => {
    const { inDays, store, repository, terms, lockOf } = await world();
    const bytes = Buffer.from('of stock restic');
    const name = `index/${idOf(bytes)}`;
    store.overwrite(name, bytes);
    assert.equal((await renewLocks(repository, { ...terms(), effects: 'OnlyPlanned' })).locked, 1);
    assert.equal(await lockOf(name), undefined);
    assert.equal((await renewLocks(repository, terms())).locked, 1);
    assert.deepEqual(await lockOf(name), { mode: 'GOVERNANCE', until: inDays(10) });
  });

  it('goes on beside an object that the store refuses, and names it; stops when all are refused', async () => {
    const { clock, inDays, store, open, terms, lockOf, repository } = await world();
    const names: string[] = [];
    for (let pack = 0; pack < 30; pack++) names.push(packName(await repository.putPack(Buffer.from(`pack ${pack}`))));
    await clock.advance(8 * dayMs);
    const refusing = (isRefused: (name: string) => boolean) =>
      open({
        ...store,
        versions: {
          ...store.versions,
          async lock(name, ...more) {
            if (isRefused(name)) throw storeRefused('AccessDenied', name, 'Ask.');
            await store.versions.lock(name, ...more);
          },
        },
      });
    await assert.rejects(renewLocks(await refusing(() => true), terms()), { code: 'StoreRefused' });
    const result = await renewLocks(await refusing((name) => name === names[0]), terms());
    assert.deepEqual(
      result.refused.map(({ name }) => name),
      [names[0]],
    );
    assert.equal(result.lockedUntil, undefined);
    for (const name of names.slice(1)) assert.deepEqual((await lockOf(name))?.until, inDays(10));
  });

  it('is refused where no versions are kept', async () => {
    const store = memoryStore();
    await makeRepository(store, testKey);
    const { terms } = await world();
    await assert.rejects(renewLocks(await openWithKey(store, testKey, randomBytes), terms()), {
      code: 'VersionsMissing',
    });
  });
});
