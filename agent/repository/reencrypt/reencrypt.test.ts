import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { rewriteSnapshot } from '../copy/copy-roots.ts';
import { idOf } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import { encodeLock } from '../locks/lock-document.ts';
import { beginReading, beginWriting } from '../locks/writer-session.ts';
import { openWithKey, packName } from '../repository.ts';
import { memoryStore } from '../store/memory-store.ts';
import { assertWhole } from '../testing/forgotten-point.ts';
import { makeRepository } from '../testing/make-repository.ts';
import { assertCopied, newKey, oldAndNew } from '../testing/reencryption.ts';
import { writeRestorePoint } from '../testing/write-restore-point.ts';
import { reencrypt } from './reencrypt.ts';
import { readSuccessor } from './successor.ts';

const place = 'the new place';

describe('encrypting a repository anew', () => {
  it('moves every restore point under the other key, tells their new ids, and leaves the old objects as they were', async () => {
    const { repository, source, openTarget, first, second } = await oldAndNew();
    const before = new Map(repository.store.objects);
    const target = await openTarget();
    const { snapshots, manifests, copied } = await reencrypt({ source, target, place });
    await assertCopied(repository, target.repository);
    assert.deepEqual(
      snapshots.map(({ from }) => from),
      [first.snapshot, second.snapshot],
    );
    const ids = (await target.repository.snapshots()).map(({ id }) => id);
    assert.deepEqual(
      snapshots.map(({ to }) => to),
      ids,
    );
    assert.equal(manifests.length, 1);
    assert.equal(copied.blobs, 7, 'three files, and two trees of each restore point');
    for (const [name, bytes] of before) assert.deepEqual(repository.store.objects.get(name), bytes);
    assert.deepEqual(
      [...repository.store.objects.keys()].filter((name) => !before.has(name)),
      ['stork/successor'],
    );
  });

  it('leaves nothing that the old key opens', async () => {
    const { repository, source, openTarget, target } = await oldAndNew();
    await reencrypt({ source, target: await openTarget(), place });
    await assert.rejects(openWithKey(target, repository.key, randomBytes), { code: 'RepositoryDamaged' });
    for (const name of target.objects.keys()) assert.ok(!repository.store.objects.has(name) || name === 'config', name);
  });

  it('leaves what no restore point needs behind', async () => {
    const { repository, source, openTarget } = await oldAndNew();
    const third = await writeRestorePoint(repository, { three: randomBytes(5000) });
    await repository.store.remove(`snapshots/${third.snapshot}`);
    const { copied } = await reencrypt({ source, target: await openTarget(), place });
    assert.equal(copied.blobs, 7);
  });

  it('ends backups into the old one, not restores from it', async () => {
    const { host, repository, source, openTarget } = await oldAndNew();
    const target = await openTarget();
    await reencrypt({ source, target, place });
    await assert.rejects(beginWriting(host.context(repository)), {
      code: 'RepositoryReplaced',
      message: /the new place/,
    });
    await (await beginReading(host.context(repository))).release();
    await assertWhole(repository);
    await (await beginWriting(host.context(target.repository)))[Symbol.asyncDispose]();
    await assert.rejects(reencrypt({ source, target, place }), { code: 'RepositoryReplaced' });
  });

  it('waits for nobody: it is refused while somebody writes, reads, or stock restic works', async () => {
    const { clock, host, repository, source, openTarget } = await oldAndNew();
    const target = await openTarget();
    for (const begin of [beginWriting, beginReading]) {
      await using _other = await begin(host.context(repository));
      await assert.rejects(reencrypt({ source, target, place }), { code: 'RepositoryLocked' });
    }
    const lock = { time: clock.now(), exclusive: false, hostname: 'x', username: 'y', pid: 1, ours: undefined };
    const sealed = sealDocument(repository.key, encodeLock(lock), randomBytes(ivBytes));
    await repository.store.put(`locks/${idOf(sealed)}`, sealed);
    await assert.rejects(reencrypt({ source, target, place }), { code: 'RepositoryLocked', message: /restic of y@x/ });
    assert.equal(await readSuccessor(repository), undefined);
  });

  it('takes an empty place only, or the one that it had begun', async () => {
    const { source, openTarget, host, repository } = await oldAndNew();
    await assert.rejects(reencrypt({ source, target: host.context(repository), place }), { code: 'TargetNotEmpty' });
    const used = await openTarget();
    await writeRestorePoint(used.repository, { other: randomBytes(10) });
    await assert.rejects(reencrypt({ source, target: used, place }), { code: 'TargetNotEmpty', message: /it has / });
    const another = await oldAndNew();
    const begun = memoryStore();
    await makeRepository(begun, newKey);
    await reencrypt({ source: another.source, target: await another.openTarget(begun), place });
    await assert.rejects(reencrypt({ source, target: await openTarget(begun), place }), {
      code: 'TargetNotEmpty',
      message: /copy of another/,
    });
  });

  it('is not done when a pack of the old one is damaged, and names it', async () => {
    const { repository, source, openTarget, first } = await oldAndNew();
    const name = packName(first.packs.one ?? '');
    const bytes = Buffer.from(repository.store.objects.get(name) ?? '');
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    repository.store.objects.set(name, bytes);
    const error = await reencrypt({ source, target: await openTarget(), place }).catch((failure: unknown) => failure);
    assert.ok(error instanceof Error && 'about' in error);
    assert.match(String(error.about), new RegExp(first.packs.one ?? 'none'));
    assert.equal(await readSuccessor(repository), undefined);
  });

  it('is not done when what arrived is damaged', async () => {
    const { repository, source, openTarget, target } = await oldAndNew();
    const put: typeof target.put = async (name, bytes) => {
      await target.put(name, bytes);
      const altered = Buffer.from(bytes);
      altered[50] = (altered[50] ?? 0) ^ 1;
      if (name.startsWith('data/')) target.objects.set(name, altered);
    };
    await assert.rejects(reencrypt({ source, target: await openTarget({ ...target, put }), place }), {
      code: 'ReencryptionUnproven',
    });
    assert.equal(await readSuccessor(repository), undefined);
  });

  it('goes on after an end in the midst with what an index of a minute before names', async () => {
    const { clock, repository, source, openTarget, target } = await oldAndNew();
    let packs = 0;
    const put: typeof target.put = async (name, bytes) => {
      if (name.startsWith('data/') && ++packs === 2) throw new Error('the end');
      await target.put(name, bytes);
      if (name.startsWith('data/')) await clock.advance(61_000);
    };
    await assert.rejects(reencrypt({ source, target: await openTarget({ ...target, put }), place }), /the end/);
    const again = await openTarget();
    const { copied } = await reencrypt({ source, target: again, place });
    assert.equal(copied.blobs, 4, 'the trees; the files were in the first pack');
    await assertCopied(repository, again.repository);
  });

  it('is not done when its locks were lost meanwhile; the next run goes on', async () => {
    const { clock, repository, source, openTarget, target } = await oldAndNew();
    let slept = false;
    const put: typeof target.put = async (name, bytes) => {
      if (name.startsWith('snapshots/') && !slept) {
        slept = true;
        for (const name of repository.store.objects.keys())
          if (name.startsWith('locks/')) repository.store.objects.delete(name);
      }
      await target.put(name, bytes);
    };
    const again = await openTarget({ ...target, put });
    await assert.rejects(reencrypt({ source, target: again, place }), { code: 'ReencryptionPaused' });
    assert.equal(await readSuccessor(repository), undefined);
    await clock.advance(1);
    const { copied } = await reencrypt({ source, target: again, place });
    assert.equal(copied.blobs, 0);
    await assertCopied(repository, again.repository);
  });
});

describe('a copied restore point', () => {
  it('keeps fields that we do not know, and its first id', () => {
    const text = JSON.stringify({ time: 't', parent: 'old', tree: 'x', tags: ['a'], later: { a: 1 } });
    const copy = JSON.parse(rewriteSnapshot(text, 'id', 'new'));
    assert.deepEqual(copy, { time: 't', parent: 'new', tree: 'x', tags: ['a'], later: { a: 1 }, original: 'id' });
    assert.equal(JSON.parse(rewriteSnapshot(text, 'id', undefined)).parent, undefined);
    assert.equal(JSON.parse(rewriteSnapshot('{"original":"first"}', 'id', undefined)).original, 'first');
  });
});
