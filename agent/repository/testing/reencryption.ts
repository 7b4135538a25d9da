/** For tests: a repository of two restore points beside an empty one of another key, and what a copy must be. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { manualClock } from '../../../kube/clock.ts';
import { idOf } from '../format/object-id.ts';
import type { RepositoryKey } from '../format/seal.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { openWithKey, type Repository } from '../repository.ts';
import { memoryStore } from '../store/memory-store.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { assertWhole } from './forgotten-point.ts';
import { testHost } from './lock-context.ts';
import { makeRepository } from './make-repository.ts';
import { memoryRepository, writeRestorePoint } from './write-restore-point.ts';

export const newKey: RepositoryKey = {
  encrypt: Buffer.alloc(32, 4),
  macK: Buffer.alloc(16, 5),
  macR: Buffer.alloc(16, 6),
};

export async function oldAndNew() {
  const clock = manualClock();
  const host = testHost(clock);
  const repository = await memoryRepository();
  const shared = randomBytes(3000);
  const first = await writeRestorePoint(repository, { one: randomBytes(50_000), shared });
  const time = new Date('2026-01-02T00:00:00Z');
  const second = await writeRestorePoint(repository, { shared, two: Buffer.alloc(9000, 'x') }, { time });
  const manifest = sealDocument(repository.key, JSON.stringify({ trees: [first.tree] }), randomBytes(ivBytes));
  await repository.store.put(`stork/manifests/${idOf(manifest)}`, manifest);
  const target = memoryStore();
  await makeRepository(target, newKey);
  const openTarget = async (store: ObjectStore = target): Promise<LockContext> =>
    host.context(await openWithKey(store, newKey, randomBytes));
  return { clock, host, repository, source: host.context(repository), first, second, target, openTarget };
}

/** Whole to its last byte, and of the same trees with the same descriptions. */
export async function assertCopied(source: Repository, target: Repository): Promise<void> {
  assert.deepEqual(await assertWhole(target), []);
  const told = async (repository: Repository) =>
    (await repository.snapshots()).map(({ id: _id, parent: _parent, ...rest }) => rest);
  assert.deepEqual(await told(target), await told(source));
}
