/** What every store that keeps versions promises (object-versions.ts). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ObjectStore } from '../object-store.ts';
import { listVersions, type StoreVersions } from '../object-versions.ts';
import { fails, idOf, sampleBytes } from './store-suite.ts';

export interface VersionsWorld extends AsyncDisposable {
  readonly store: ObjectStore & { readonly versions: StoreVersions };
  /** Whatever is there. */
  overwrite(name: string, bytes: Uint8Array): Promise<void>;
}

const hourMs = 3_600_000;

export function describeVersions(kind: string, open: () => Promise<VersionsWorld>): void {
  describe(`versions: ${kind}`, () => {
    let world: VersionsWorld;
    let store: VersionsWorld['store'];
    before(async () => {
      world = await open();
      ({ store } = world);
    });
    after(() => world[Symbol.asyncDispose]());

    const putNew = async (seed: number) => {
      const bytes = sampleBytes(1000, seed);
      const name = `index/${idOf(bytes)}`;
      await store.put(name, bytes);
      return { name, bytes };
    };

    it('are kept', async () => {
      assert.equal(await store.versions.areKept(), 'Yes');
    });

    it('what was overwritten and removed is still there, the newest first', async () => {
      const { name, bytes } = await putNew(1);
      await world.overwrite(name, Buffer.from('evil'));
      await store.remove(name);
      assert.equal(await store.sizeOf(name), undefined);
      const [deletion, evil, right, ...more] = await store.versions.of(name);
      assert.equal(deletion?.kind, 'Deletion');
      assert.ok(deletion.isLatest);
      assert.deepEqual(more, []);
      assert.ok(evil !== undefined && right !== undefined);
      assert.deepEqual([evil.kind, evil.sizeBytes, evil.isLatest], ['Object', 4, false]);
      assert.deepEqual([right.kind, right.sizeBytes, right.isLatest], ['Object', 1000, false]);
      assert.ok(right.madeAt <= evil.madeAt);
      assert.equal((await store.versions.get(name, evil.id)).toString(), 'evil');
      assert.deepEqual(await store.versions.get(name, right.id), bytes);
      const part = await store.versions.get(name, right.id, { offset: 100, length: 50 });
      assert.deepEqual(part, bytes.subarray(100, 150));
      const beyond = store.versions.get(name, right.id, { offset: 990, length: 50 });
      await assert.rejects(beyond, fails('ObjectTooShort'));
    });

    it('of a name that never was there are none', async () => {
      assert.deepEqual(await store.versions.of('snapshots/nothing'), []);
      assert.deepEqual((await store.versions.page('snapshots/nothing/')).names, []);
    });

    it('a name is listed once, with all its versions, over however many pages', async () => {
      const names = ['one', 'three', 'two'].map((name) => `many/${name}`);
      for (const [place, name] of names.entries()) {
        await store.put(name, Buffer.from('first'));
        for (let times = 0; times < 5 * place; times++) await world.overwrite(name, Buffer.from(`again ${times}`));
      }
      await store.remove('many/one');
      const found = (await Array.fromAsync(listVersions(store.versions, 'many/'))).flat();
      assert.deepEqual(
        found.map(({ name, versions }) => [name, versions.length]),
        [
          ['many/one', 2],
          ['many/three', 6],
          ['many/two', 11],
        ],
      );
      assert.equal((await store.versions.of('many/two')).length, 11);
    });

    it('a locked version stays, its lock gets longer and never shorter', async () => {
      const { name, bytes } = await putNew(2);
      const [version] = await store.versions.of(name);
      assert.ok(version !== undefined);
      assert.equal(await store.versions.lockOf(name, version.id), undefined);
      const until = new Date(Date.now() + hourMs);
      await store.versions.lock(name, version.id, { mode: 'COMPLIANCE', until });
      await store.remove(name);
      await assert.rejects(store.versions.remove(name, version.id), fails('StoreRefused'));
      const sooner = new Date(until.getTime() - hourMs / 2);
      const shorter = store.versions.lock(name, version.id, { mode: 'COMPLIANCE', until: sooner });
      await assert.rejects(shorter, fails('StoreRefused'));
      assert.deepEqual(await store.versions.lockOf(name, version.id), { mode: 'COMPLIANCE', until });
      const later = new Date(until.getTime() + hourMs);
      await store.versions.lock(name, version.id, { mode: 'COMPLIANCE', until: later });
      assert.deepEqual(await store.versions.lockOf(name, version.id), { mode: 'COMPLIANCE', until: later });
      assert.deepEqual(await store.versions.get(name, version.id), bytes);
    });

    it('what no lock holds can be removed for good, and removing it again is no error', async () => {
      const { name } = await putNew(3);
      await store.remove(name);
      const versions = await store.versions.of(name);
      assert.equal(versions.length, 2);
      // What takes room first, then the deletion that hides it.
      for (const { id } of versions.toReversed()) {
        await store.versions.remove(name, id);
        await store.versions.remove(name, id);
      }
      assert.deepEqual(await store.versions.of(name), []);
    });
  });
}
