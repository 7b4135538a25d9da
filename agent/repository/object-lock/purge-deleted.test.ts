import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { versionedStore } from '../store/testing/versioned-store.ts';
import { purgeDeleted } from './purge-deleted.ts';

const dayMs = 86_400_000;
const bytes = Buffer.alloc(100);

async function world() {
  const clock = manualClock();
  const until = new Date(clock.now().getTime() + 10 * dayMs);
  const store = versionedStore({
    now: () => clock.now(),
    lockOf: (name) => (name.startsWith('data/') ? { mode: 'COMPLIANCE', until } : undefined),
    pageObjects: 1,
  });
  for (const name of ['data/deleted', 'data/there', 'locks/deleted']) await store.put(name, bytes);
  for (const name of ['data/deleted', 'locks/deleted']) await store.remove(name);
  const left = async () => {
    const names = ['data/deleted', 'data/there', 'locks/deleted'];
    return await Promise.all(names.map(async (name) => (await store.versions.of(name)).length));
  };
  const purge = (deletedDaysAgo?: number) => {
    const now = clock.now();
    const deletedBefore = deletedDaysAgo === undefined ? undefined : new Date(now.getTime() - deletedDaysAgo * dayMs);
    return purgeDeleted(store.versions, { now, deletedBefore });
  };
  return { clock, store, until, left, purge };
}
const one = { versions: 1, bytes: 100 };
const none = { versions: 0, bytes: 0 };

describe('what was deleted where versions are kept', () => {
  it('still takes room, and is told with the end of its locks', async () => {
    const { purge, until, left } = await world();
    const told = { purged: none, held: { versions: 2, bytes: 200 }, locked: one, unlocked: one, lockedUntil: until };
    assert.deepEqual(await purge(), told);
    assert.deepEqual(await left(), [2, 1, 2]);
  });

  it('goes for good when it was deleted long enough ago and no lock holds it', async () => {
    const { clock, purge, until, left } = await world();
    await clock.advance(2 * dayMs);
    assert.deepEqual((await purge(3)).purged, none);
    const first = { purged: one, held: one, locked: one, unlocked: none, lockedUntil: until };
    assert.deepEqual(await purge(1), first);
    assert.deepEqual(await left(), [2, 1, 0]);
    await clock.advance(8 * dayMs);
    assert.deepEqual((await purge(1)).purged, one);
    assert.deepEqual(await left(), [0, 1, 0]);
    assert.deepEqual((await purge(1)).purged, none);
  });

  it('what is there keeps its older versions: they tell of an overwrite', async () => {
    const { clock, store, purge, left } = await world();
    store.overwrite('data/there', Buffer.from('evil'));
    await clock.advance(20 * dayMs);
    await purge(1);
    assert.deepEqual(await left(), [0, 2, 0]);
  });

  it('killed anywhere, it brings nothing back', async () => {
    for (let allowed = 0; allowed < 2; allowed++) {
      const { clock, store } = await world();
      await clock.advance(20 * dayMs);
      const now = clock.now();
      let removals = 0;
      const dying = {
        ...store.versions,
        async remove(name: string, id: string) {
          if (removals++ >= allowed) throw new Error('killed');
          await store.versions.remove(name, id);
        },
      };
      await assert.rejects(purgeDeleted(dying, { now, deletedBefore: now }), /killed/);
      assert.deepEqual(
        (await Array.fromAsync(store.list(''))).map(({ name }) => name),
        ['data/there'],
      );
      await purgeDeleted(store.versions, { now, deletedBefore: now });
      assert.deepEqual(await store.versions.of('data/deleted'), []);
    }
  });
});
