import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { storeRefused } from '../store/store-error.ts';
import { memoryRepository } from '../testing/write-restore-point.ts';
import { readingLock } from './reading-lock.ts';

/** A repository that nobody may write to. */
async function readOnlyContext(): Promise<LockContext> {
  const repository = await memoryRepository();
  const put = () => Promise.reject(storeRefused('EROFS', 'locks/1', 'Let the user write there.'));
  const owner = { hostname: 'here', username: 'root', pid: 1, pidSpace: 'boot ns', isAlive: () => true };
  return {
    repository: { ...repository, store: { ...repository.store, put } },
    owner,
    clock: manualClock(),
    randomBytes,
  };
}

describe('the lock of who reads for long', () => {
  it('says how to do without it where nothing can be written', async () => {
    await assert.rejects(readingLock(await readOnlyContext(), true), {
      code: 'StoreRefused',
      hint: 'Let the user write there. Or take no lock (--no-lock), where nothing prunes it meanwhile.',
    });
  });

  it('is none when none is wanted', async () => {
    assert.equal(await readingLock(await readOnlyContext(), false), undefined);
  });
});
