import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { beginReading, beginWriting } from '../locks/writer-session.ts';
import { packName } from '../repository.ts';
import { memoryStore } from '../store/memory-store.ts';
import { crashingStore } from '../testing/crashing-store.ts';
import { assertCopied, oldAndNew } from '../testing/reencryption.ts';
import { writeRestorePoint } from '../testing/write-restore-point.ts';
import { reencrypt } from './reencrypt.ts';
import { removeReplaced } from './remove-replaced.ts';

async function replaced() {
  const both = await oldAndNew();
  const target = await both.openTarget();
  await reencrypt({ source: both.source, target, place: 'new' });
  const options = { old: both.source, successor: target, missingThere: 'Refused' } as const;
  return { ...both, options, fresh: target.repository };
}

describe('removing what was encrypted anew', () => {
  it('leaves nothing of the old one and everything of the new one', async () => {
    const { repository, options, target, host } = await replaced();
    const [before, objects] = [new Map(target.objects), repository.store.objects.size];
    const copy = memoryStore(new Map(repository.store.objects));
    const removed = await removeReplaced(options);
    assert.deepEqual([...repository.store.objects.keys()], []);
    assert.deepEqual([removed.objects, removed.lost], [objects, []]);
    assert.deepEqual(new Map(target.objects), before);
    await assertCopied((await host.open(copy)).repository, options.successor.repository);
  });

  it('is refused for one that has not been replaced, or by another', async () => {
    const { source, openTarget, repository } = await oldAndNew();
    const target = await openTarget();
    const options = { old: source, successor: target, missingThere: 'Allowed' } as const;
    await assert.rejects(removeReplaced(options), { code: 'RepositoryNotReplaced' });
    const other = await replaced();
    await assert.rejects(removeReplaced({ ...options, old: other.source }), { code: 'RepositoryNotReplaced' });
    await assert.rejects(removeReplaced({ ...options, old: target, successor: source }), {
      code: 'RepositoryNotReplaced',
    });
    assert.equal((await repository.snapshots()).length, 2);
  });

  it('is refused while somebody reads the old one', async () => {
    const { host, options, repository } = await replaced();
    const objects = repository.store.objects.size;
    await using _lock = await beginReading(host.context(repository));
    await assert.rejects(removeReplaced(options), { code: 'RepositoryLocked' });
    assert.equal(repository.store.objects.size, objects + 1);
  });

  it('is refused when the new one lacks a restore point, unless that was meant', async () => {
    const { options, fresh, repository } = await replaced();
    const [first] = await fresh.snapshots();
    await fresh.store.remove(`snapshots/${first?.id}`);
    for await (const { name } of fresh.store.list('stork/manifests/')) await fresh.store.remove(name);
    await assert.rejects(removeReplaced(options), { code: 'RestorePointsMissing' });
    assert.equal((await repository.snapshots()).length, 2);
    const { lost } = await removeReplaced({ ...options, missingThere: 'Allowed' });
    assert.equal(lost.length, 2, 'a restore point and a manifest');
  });

  it('is refused when a byte of the new one is damaged', async () => {
    const { options, host, fresh, target, repository } = await replaced();
    await using _session = await beginWriting(host.context(fresh));
    const { packs } = await writeRestorePoint(fresh, { more: randomBytes(3000) });
    const name = packName(packs.more ?? '');
    const bytes = Buffer.from(target.objects.get(name) ?? '');
    bytes[99] = (bytes[99] ?? 0) ^ 1;
    target.objects.set(name, bytes);
    const objects = repository.store.objects.size;
    await assert.rejects(removeReplaced(options), { code: 'ReencryptionUnproven' });
    assert.equal(repository.store.objects.size, objects);
  });

  it('is refused when another repository lies among its objects', async () => {
    const { options, repository } = await replaced();
    await repository.store.put('stork/new/config', Buffer.from('x'));
    await assert.rejects(removeReplaced(options), { code: 'RepositoryNested' });
    assert.equal((await repository.snapshots()).length, 2);
  });

  it('killed at any change, before or after it, is gone on with until only its entrance is left', async () => {
    let points = 0;
    for (let change = 1, isPast = false; !isPast; change++)
      for (const when of ['before', 'after'] as const) {
        const { host, repository, options, fresh, source } = await replaced();
        host.die(source);
        const { objects } = repository.store;
        const dying = crashingStore(memoryStore(objects), { change, when });
        const old = await host.open(dying);
        await removeReplaced({ ...options, old }).catch(() => undefined);
        isPast = !dying.isDead();
        if (isPast) break;
        points++;
        host.die(old);
        // Its last few objects are what it takes to go on.
        if (!objects.has('config') || !objects.has('stork/successor')) continue;
        await removeReplaced({ ...options, old: await host.open(memoryStore(objects)) });
        assert.deepEqual([...objects.keys()], []);
        assert.equal((await fresh.snapshots()).length, 2);
      }
    assert.ok(points > 16, `${points} points`);
  });
});
