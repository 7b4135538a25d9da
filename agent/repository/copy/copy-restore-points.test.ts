import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { parseSnapshot } from '../format/snapshot.ts';
import { takeLock } from '../locks/repository-lock.ts';
import { beginWriting } from '../locks/writer-session.ts';
import { collectGarbage } from '../prune/collect-garbage.ts';
import { readMarks } from '../prune/marks.ts';
import { openWithKey, packName, type Repository } from '../repository.ts';
import type { memoryStore } from '../store/memory-store.ts';
import { crashingStore } from '../testing/crashing-store.ts';
import { assertWhole } from '../testing/forgotten-point.ts';
import { newKey, oldAndNew } from '../testing/reencryption.ts';
import { writeRestorePoint } from '../testing/write-restore-point.ts';
import { readSnapshotDocuments } from '../verify/read-roots.ts';
import { verify } from '../verify/verify.ts';
import { type CopyRestorePointsOptions, copyRestorePoints } from './copy-restore-points.ts';
import { planCopy } from './plan-copy.ts';

/** Two restore points (seven blobs) to copy into a repository that has one of its own already. */
async function twoRepositories() {
  const made = await oldAndNew();
  const { repository: source, openTarget, first, second } = made;
  const target = await openTarget();
  const own = await writeRestorePoint(target.repository, { own: randomBytes(2000) }, { hostname: 'other' });
  const ids = [first.snapshot, second.snapshot];
  return { ...made, sourceContext: made.source, source, own, ids, target: await openTarget() };
}

async function copyPoints({
  source,
  target,
  ids,
}: Pick<CopyRestorePointsOptions, 'source' | 'target'> & { readonly ids: readonly string[] }) {
  const documents = await readSnapshotDocuments(source, {});
  const chosen = ids.map((id) => documents.find((document) => document.id === id)).filter((one) => one !== undefined);
  return await copyRestorePoints({ source, target, chosen });
}

/** What an interruption may leave, packs that no index names, is no damage. */
async function damageOf(repository: Repository) {
  const { damage, affected, gone } = await verify({ repository, depth: { read: 'everything' } });
  return [...damage, ...affected, ...gone];
}

const told = async (repository: Repository) =>
  (await repository.snapshots()).map(({ time, tree, paths, hostname }) => ({ time, tree, paths, hostname }));

describe('copying restore points into another repository', () => {
  it('brings each whole, beside what is there, and leaves the source as it was', async () => {
    const { source, target, ids, own } = await twoRepositories();
    const before = [...source.store.objects.keys()];
    const { copied, there, sent } = await copyPoints({ source, target, ids: ids.toReversed() });
    assert.deepEqual(
      copied.map(({ from }) => from),
      ids,
      'the oldest first',
    );
    assert.deepEqual([there, sent.blobs], [[], 7]);
    assert.deepEqual(await assertWhole(target.repository), []);
    const all = await told(target.repository);
    for (const one of await told(source)) assert.ok(all.some((copy) => JSON.stringify(copy) === JSON.stringify(one)));
    assert.ok((await target.repository.snapshots()).some(({ id }) => id === own.snapshot));
    assert.deepEqual([...source.store.objects.keys()], before);
  });

  it('sends nothing that is there: neither restore points, nor blobs', async () => {
    const { source, target, ids } = await twoRepositories();
    const [oldest = ''] = ids;
    const first = await copyPoints({ source, target, ids: [oldest] });
    assert.equal(first.sent.blobs, 4, 'two files and two trees');
    const { copied, there, sent } = await copyPoints({ source, target, ids });
    assert.deepEqual([copied.length, there], [1, first.copied]);
    assert.equal(sent.blobs, 3, 'what both have in common is there');
    const again = await copyPoints({ source, target, ids });
    assert.deepEqual([again.copied, again.there.length, again.sent], [[], 2, { blobs: 0, bytes: 0, packs: 0 }]);
  });

  it('knows a copy of a copy, and what was copied back', async () => {
    const { source, target, ids, host } = await twoRepositories();
    await copyPoints({ source, target, ids });
    const back = await copyPoints({
      source: target.repository,
      target: host.context(source),
      ids: (await target.repository.snapshots()).map(({ id }) => id),
    });
    assert.deepEqual([back.copied.length, back.there.length], [1, 2], "only the target's own is new to the source");
  });

  it('killed at any change, leaves whole restore points only, and goes on', async () => {
    for (let change = 1; ; change++) {
      let died = false;
      for (const when of ['before', 'after'] as const) {
        const { source, host, ids, target, openTarget } = await twoRepositories();
        const store = crashingStore(target.repository.store as ReturnType<typeof memoryStore>, { change, when });
        const victim = await openTarget(store);
        await copyPoints({ source, target: victim, ids }).catch(() => {});
        died ||= store.isDead();
        host.die(victim);
        assert.deepEqual(await damageOf(target.repository), [], `${when} change ${change}`);
        const { copied, there } = await copyPoints({ source, target, ids });
        assert.equal(copied.length + there.length, 2);
        assert.deepEqual(await damageOf(target.repository), [], `${when} change ${change}, again`);
        assert.equal((await target.repository.snapshots()).length, 3);
      }
      if (!died) return;
    }
  });

  it('relies on nothing that the collector is about to delete', async () => {
    const { source, target, ids, host } = await twoRepositories();
    const first = await copyPoints({ source, target, ids });
    for (const { to } of first.copied) await target.repository.store.remove(`snapshots/${to}`);
    const writer = await beginWriting(host.context(target.repository));
    const collecting = { minWaitMs: 0, unusedShare: 0, repackBytes: 2 ** 30, effects: 'Done' } as const;
    await collectGarbage(host.context(target.repository), collecting);
    assert.ok((await readMarks(target.repository)).length > 0, 'marked, and the writer keeps it there');
    const again = await copyPoints({ source, target, ids });
    assert.equal(again.sent.blobs, 7);
    await writer[Symbol.asyncDispose]();
    await collectGarbage(host.context(target.repository), collecting);
    assert.deepEqual(await assertWhole(target.repository), []);
  });

  it('copies nothing when the source lacks a blob, and names it; another restore point can be copied', async () => {
    const { source, target, ids, second } = await twoRepositories();
    const pack = packName(second.packs.two ?? '');
    source.store.objects.delete(pack);
    const before = (await target.repository.snapshots()).length;
    await assert.rejects(copyPoints({ source, target, ids }), {
      code: 'RepositoryDamaged',
      message: /nothing is copied/,
    });
    assert.equal((await target.repository.snapshots()).length, before);
    const { copied } = await copyPoints({ source, target, ids: ids.slice(0, 1) });
    assert.equal(copied.length, 1);
  });

  it('brings no damaged byte over', async () => {
    const { source, target, ids, first } = await twoRepositories();
    const pack = packName(first.packs.one ?? '');
    const bytes = Buffer.from(source.store.objects.get(pack) ?? []);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    source.store.objects.set(pack, bytes);
    await assert.rejects(copyPoints({ source, target, ids }), { code: 'RepositoryDamaged' });
    assert.deepEqual(await assertWhole(target.repository), []);
    assert.equal((await target.repository.snapshots()).length, 1);
  });

  it('makes no restore point when the target has lost what it said it had', async () => {
    const { source, target, ids } = await twoRepositories();
    const [oldest = ''] = ids;
    await copyPoints({ source, target, ids: [oldest] });
    const { objects } = target.repository.store as ReturnType<typeof memoryStore>;
    for (const name of [...objects.keys()]) if (name.startsWith('data/')) objects.delete(name);
    await assert.rejects(copyPoints({ source, target, ids }), { code: 'CopyUnproven' });
    assert.equal((await target.repository.snapshots()).length, 2);
  });

  it('goes not into itself, nor past a repair', async () => {
    const { source, sourceContext, ids, target, host } = await twoRepositories();
    await assert.rejects(copyPoints({ source, target: sourceContext, ids }), {
      code: 'CopyIntoItself',
    });
    const same = await openWithKey(target.repository.store, newKey, randomBytes);
    await using _alone = await takeLock(host.context(same), 'alone');
    await assert.rejects(copyPoints({ source, target, ids }), { code: 'RepositoryLocked' });
  });
});

describe('planning a copy', () => {
  const document = (id: string, over: object = {}) => {
    const fields = { time: '2026-01-01T00:00:00Z', tree: 'a'.repeat(64), paths: ['/'], hostname: 'h', ...over };
    const text = JSON.stringify(fields);
    return { id, text, snapshot: { id, ...parseSnapshot(Buffer.from(text), id) } };
  };

  it('takes what has another original, time or tags for another, and the oldest first', () => {
    const late = document('late', { time: '2026-02-01T00:00:00Z' });
    const tagged = document('one', { tags: ['kept'] });
    const { missing, there } = planCopy(
      [late, document('one'), document('two')],
      [document('copy', { original: 'two' }), tagged],
    );
    assert.deepEqual(
      missing.map(({ id }) => id),
      ['one', 'late'],
    );
    assert.deepEqual(there, [{ from: 'two', to: 'copy' }]);
  });
});
