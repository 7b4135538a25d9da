/** For tests: a repository in memory, backups and restores with the usual options. tidy: ambient-calls because files are as old as now. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../../kube/clock.ts';
import { type BackupOptions, type BackupResult, backup } from '../backup/backup.ts';
import { newMasterKey } from '../format/key-file.ts';
import { openWithKey, type Repository, type StoredSnapshot } from '../repository.ts';
import { type RestoreOptions, type RestoreResult, restore } from '../restore/restore.ts';
import { pathFilter } from '../select-paths.ts';
import { type MemoryStore, memoryStore } from '../store/memory-store.ts';
import { makeRepository } from './make-repository.ts';

const key = newMasterKey(randomBytes);

export interface TestRepository {
  readonly store: MemoryStore;
  readonly repository: Repository;
}

export async function memoryRepository(): Promise<TestRepository> {
  const store = memoryStore();
  await makeRepository(store, key);
  return { store, repository: await openWithKey(store, key, randomBytes) };
}

/** With the latest snapshot as parent. */
export async function save(
  repository: Repository,
  paths: readonly string[],
  options: Partial<BackupOptions> = {},
): Promise<BackupResult> {
  return await backup({
    repository,
    paths,
    describe: { time: new Date(), hostname: 'h', username: 'u', tags: [], excludes: [] },
    parent: (await repository.snapshots()).at(-1),
    level: 1,
    threads: 1,
    signal: new AbortController().signal,
    clock: systemClock(),
    ...options,
  });
}

export async function latestOf(repository: Repository): Promise<StoredSnapshot> {
  const snapshot = (await repository.snapshots()).at(-1);
  if (snapshot === undefined) throw new Error('no snapshot');
  return snapshot;
}

/** The latest snapshot's directory `from` to `target`, every problem ending it. */
export async function bringBack(
  repository: Repository,
  from: string,
  target: string,
  options: Partial<RestoreOptions> = {},
): Promise<RestoreResult> {
  return await restore({
    repository,
    snapshot: await latestOf(repository),
    from,
    target,
    filter: pathFilter([], []),
    others: 'keep',
    verify: true,
    problems: 'fail',
    threads: 1,
    signal: new AbortController().signal,
    ...options,
  });
}
