import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { forget } from '../forget/forget.ts';
import { idOf } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import { encodeLock } from '../locks/lock-document.ts';
import { beginReading, beginWriting } from '../locks/writer-session.ts';
import { packName } from '../repository.ts';
import { memoryStore } from '../store/memory-store.ts';
import { allowed, assertWhole, forgottenPoint } from '../testing/forgotten-point.ts';
import { smallStore } from '../testing/small-store.ts';
import { testKey, writeRestorePoint } from '../testing/write-restore-point.ts';
import { type CollectOptions, collectGarbage } from './collect-garbage.ts';

const hourMs = 3_600_000;
const later: CollectOptions = { minWaitMs: hourMs, unusedShare: 0.05, repackBytes: 2 ** 30, effects: 'Done' };
const atOnce: CollectOptions = { ...later, minWaitMs: 0 };

describe('garbage collection', () => {
  it('marks, waits, and deletes what nothing needs, and nothing else', async () => {
    const { clock, repository, context, first, objects } = await forgottenPoint();
    const marked = await collectGarbage(context, later);
    assert.equal(marked.marked.packs, 3, 'a file and two trees');
    assert.equal(marked.deleted.packs, 0);
    await clock.advance(hourMs - 1);
    assert.match((await collectGarbage(context, later)).waitsFor[0] ?? '', /waits until 2026-01-01T01:00/);
    assert.ok(objects.has(packName(first.packs.one ?? '')));
    await clock.advance(1);
    assert.equal((await collectGarbage(context, later)).deleted.packs, 3);
    assert.ok(!objects.has(packName(first.packs.one ?? '')));
    assert.ok(objects.has(packName(first.packs.shared ?? '')));
    assert.deepEqual(await assertWhole(repository), []);
    assert.deepEqual(
      [...objects.keys()].filter((name) => /^(locks|stork\/(marks|waits))/.test(name)),
      [],
    );
  });

  it('tells what it would do and does nothing on a dry run', async () => {
    const { context, objects } = await forgottenPoint();
    const before = [...objects.keys()].sort();
    const { marked } = await collectGarbage(context, { ...atOnce, effects: 'OnlyPlanned' });
    assert.equal(marked.packs, 3);
    assert.deepEqual([...objects.keys()].sort(), before);
  });

  it('waits for a writer that began before the mark, and keeps what it came to need', async () => {
    const { host, repository, context, first, files } = await forgottenPoint();
    const writer = await beginWriting(host.context(repository));
    assert.match((await collectGarbage(context, atOnce)).waitsFor[0] ?? '', /for 1 that worked/);
    const third = await writeRestorePoint(repository, files.first, { commit: (snapshot) => writer.commit(snapshot) });
    assert.equal(third.packs.one, first.packs.one, 'it refers to a marked pack');
    await writer[Symbol.asyncDispose]();
    const result = await collectGarbage(context, atOnce);
    assert.deepEqual([result.deleted.packs, result.rescued.packs], [0, 3]);
    await assertWhole(repository);
  });

  it('waits for a reader, and no longer for one that died', async () => {
    const { host, repository, context } = await forgottenPoint();
    const reader = host.context(repository);
    await beginReading(reader);
    assert.equal((await collectGarbage(context, atOnce)).deleted.packs, 0);
    host.die(reader);
    assert.equal((await collectGarbage(context, atOnce)).deleted.packs, 3);
  });

  it('deletes while a writer works that began after the mark', async () => {
    const { clock, host, repository, context, files } = await forgottenPoint();
    await collectGarbage(context, later);
    await using writer = await beginWriting(host.context(repository));
    await clock.advance(hourMs);
    const writing = writeRestorePoint(repository, files.first, {
      except: writer.markedPacks,
      commit: (snapshot) => writer.commit(snapshot),
    });
    assert.equal((await collectGarbage(context, later)).deleted.packs, 3);
    await writing;
    await assertWhole(repository);
  });

  it('takes the packs of a backup that died, but not while it lives', async () => {
    const { host, repository, context, objects } = await forgottenPoint();
    const writer = host.context(repository);
    await beginWriting(writer);
    const id = await repository.putPack(randomBytes(1000));
    await collectGarbage(context, atOnce);
    assert.ok(objects.has(packName(id)));
    host.die(writer);
    await collectGarbage(context, atOnce);
    assert.ok(!objects.has(packName(id)));
  });

  it('deletes nothing beside stock restic', async () => {
    const { clock, context, repository } = await forgottenPoint();
    const lock = { time: clock.now(), exclusive: false, hostname: 'x', username: 'y', pid: 1, ours: undefined };
    const sealed = sealDocument(testKey, encodeLock(lock), randomBytes(ivBytes));
    await repository.store.put(`locks/${idOf(sealed)}`, sealed);
    const { marked, deleted, waitsFor } = await collectGarbage(context, atOnce);
    assert.deepEqual([marked.packs, deleted.packs], [3, 0]);
    assert.match(waitsFor[0] ?? '', /restic of y@x/);
  });

  for (const what of ['snapshots/', 'index/', 'data/'] as const)
    it(`deletes nothing when something of ${what} is damaged`, async () => {
      const { context, objects, second } = await forgottenPoint();
      const names = { 'snapshots/': `snapshots/${second.snapshot}`, 'data/': packName(second.treePack) };
      const name = what === 'index/' ? ([...objects.keys()].find((one) => one.startsWith(what)) ?? '') : names[what];
      objects.set(name, Buffer.alloc(objects.get(name)?.length ?? 0, 1));
      const packs = [...objects.keys()].filter((one) => one.startsWith('data/'));
      await assert.rejects(collectGarbage(context, atOnce), { code: 'RepositoryDamaged' });
      assert.deepEqual(
        [...objects.keys()].filter((one) => one.startsWith('data/')),
        packs,
      );
    });

  it('keeps what manifests of application backups need', async () => {
    const { repository, context, first } = await forgottenPoint();
    const manifest = sealDocument(testKey, JSON.stringify({ trees: [first.tree] }), randomBytes(ivBytes));
    await repository.store.put(`stork/manifests/${idOf(manifest)}`, manifest);
    assert.equal((await collectGarbage(context, atOnce)).marked.packs, 0);
  });

  it('cleans a store that is full', async () => {
    const { host, clock, objects, second } = await forgottenPoint();
    await collectGarbage(await host.open(memoryStore(objects)), later);
    const limit = { bytes: [...objects.values()].reduce((sum, { length }) => sum + length, 0) };
    const context = await host.open(smallStore(memoryStore(objects), limit));
    await assert.rejects(context.repository.putPack(randomBytes(100)), { code: 'StoreFull' });
    await forget(context, { snapshots: [second.snapshot], ...allowed });
    await clock.advance(hourMs);
    await collectGarbage(context, atOnce);
    assert.deepEqual(
      [...objects.keys()].filter((name) => name.startsWith('data/') || name.startsWith('index/')),
      [],
    );
  });
});
