/** For tests of what collects garbage: a repository of two restore points that share a file; the first is forgotten. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { manualClock } from '../../../kube/clock.ts';
import { forget } from '../forget/forget.ts';
import type { Repository } from '../repository.ts';
import { verify } from '../verify/verify.ts';
import { testHost } from './lock-context.ts';
import { memoryRepository, type TestFiles, writeRestorePoint } from './write-restore-point.ts';

export const allowed = { forgettingAll: 'Allowed' } as const;

/** Every byte is read. Returns what is worth a note. */
export async function assertWhole(repository: Repository) {
  const { damage, affected, notes } = await verify({ repository, depth: { read: 'everything' } });
  assert.deepEqual({ damage, affected }, { damage: [], affected: [] });
  return notes;
}

export async function forgottenPoint() {
  const clock = manualClock();
  const host = testHost(clock);
  const repository = await memoryRepository();
  const shared = randomBytes(3000);
  const files: Record<'first' | 'second', TestFiles> = {
    first: { one: randomBytes(50_000), shared },
    second: { shared, two: randomBytes(4000) },
  };
  const first = await writeRestorePoint(repository, files.first);
  const second = await writeRestorePoint(repository, files.second);
  const context = host.context(repository);
  await forget(context, { snapshots: [first.snapshot], ...allowed });
  return { clock, host, repository, context, first, second, files, objects: repository.store.objects };
}
