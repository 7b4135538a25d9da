/** For tests: who asks for locks. Every context is a process of its own; `die` makes it one that others know to be dead. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../kube/clock.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { openWithKey, type Repository } from '../repository.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { testKey } from './write-restore-point.ts';

export interface TestHost {
  context(repository: Repository): LockContext;
  /** The same repository through another store, as another process. */
  open(store: ObjectStore): Promise<LockContext>;
  die(context: LockContext): void;
}

export function testHost(clock: Clock): TestHost {
  const living = new Set<number>();
  let pids = 0;
  const context = (repository: Repository): LockContext => {
    const pid = ++pids;
    living.add(pid);
    const owner = {
      hostname: 'here',
      username: 'root',
      pid,
      pidSpace: 'boot ns',
      isAlive: (one: number) => living.has(one),
    };
    return { repository, owner, clock, randomBytes };
  };
  return {
    context,
    open: async (store) => context(await openWithKey(store, testKey, randomBytes)),
    die: ({ owner }) => void living.delete(owner.pid),
  };
}
