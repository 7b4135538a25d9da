import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { memoryRepository } from '../testing/write-restore-point.ts';
import { putHolders, putMark, readMarks, removeMark } from './marks.ts';

const time = new Date('2026-01-01T00:00:00Z');
const packs = ['a'.repeat(64), 'b'.repeat(64)];

describe('marks', () => {
  it('are read as they were written, and gone when removed', async () => {
    const repository = await memoryRepository();
    const id = await putMark(repository, { time, packs }, randomBytes);
    assert.deepEqual(await readMarks(repository), [{ id, time, packs, holders: undefined }]);
    await putHolders(repository, id, ['one'], randomBytes);
    assert.deepEqual(await readMarks(repository), [{ id, time, packs, holders: ['one'] }]);
    await removeMark(repository, id);
    assert.deepEqual(await readMarks(repository), []);
    assert.deepEqual([...repository.store.objects.keys()], ['config']);
  });

  it('stop a writer when they cannot be read', async () => {
    const repository = await memoryRepository();
    repository.store.objects.set(`stork/marks/${'c'.repeat(64)}`, Buffer.from('damaged'));
    await assert.rejects(readMarks(repository), { code: 'RepositoryDamaged' });
  });
});
