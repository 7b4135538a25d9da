/**
 * Takes a lock, keeps it fresh, gives it back. Puts its object first and looks at the others afterwards: of two that come at the same
 * moment at least one sees the other. Objects of processes that are gone are removed on the way, so nobody ever has to.
 * Where the store keeps no names of ours we see no marks, and lock as stock restic does: then the collector knows to keep away.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import { idOf } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import type { RandomBytes, Repository } from '../repository.ts';
import {
  describeLock,
  forbids,
  isAbandoned,
  type LockWish,
  lockOf,
  refreshEveryMs,
  trustLockMs,
} from './decide-lock.ts';
import { encodeLock, type LockDocument } from './lock-document.ts';
import type { LockOwner } from './process-owner.ts';
import { readLocks, type StoredLock } from './read-locks.ts';
import { putWithReserve } from './reserve.ts';

export interface LockContext {
  readonly repository: Repository;
  readonly owner: LockOwner;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly signal?: AbortSignal | undefined;
}

export interface HeldLock extends AsyncDisposable {
  /** The same as long as it is held. */
  readonly holder: string;
  /**
   * False when it could not be refreshed for long, or somebody removed its object: others may have taken us for dead meanwhile.
   * Throws when the store doesn't answer.
   */
  isHeld(): Promise<boolean>;
  /** Puts a fresh object at once, which makes a lost lock one again. Throws `RepositoryLocked`. */
  renew(): Promise<void>;
  /** The others' locks that still count. */
  others(): Promise<readonly StoredLock[]>;
  release(): Promise<void>;
}

const retryRefreshMs = 20_000;

/** @throws `RepositoryLocked` naming who is in the way; nothing of ours is left then */
export async function takeLock(context: LockContext, wish: LockWish): Promise<HeldLock> {
  const as = await decideManner(context, wish);
  await refuseConflicts(context, as, undefined);
  const holder = randomUUID();
  const state = await putLock(context, as, holder);
  const lock = heldLock(context, as, holder, state);
  try {
    await refuseConflicts(context, as, holder);
  } catch (error) {
    await lock.release();
    throw error;
  }
  return lock;
}

interface Manner {
  readonly wish: LockWish;
  /** Whether our lock says what stock restic's don't, and we heed what others' say. */
  readonly marks: 'Seen' | 'Unseen';
}

/** @throws `PrivateNamesMissing` for work that needs marks */
async function decideManner({ repository, signal }: LockContext, wish: LockWish): Promise<Manner> {
  const { store } = repository;
  if ((await store.privateNames?.(signal)) !== 'None') return { wish, marks: 'Seen' };
  if (wish === 'read' || wish === 'write') return { wish, marks: 'Unseen' };
  throw new StorkError({
    code: 'PrivateNamesMissing',
    message: 'This server keeps only what stock restic knows, which is too little for this',
    about: store.description,
    hint: 'Do it with stock restic; or where the repository lies; or serve it with `stork-agent repo serve`.',
  });
}

interface LockState {
  name: string;
  refreshedAt: number;
  refreshedMonotonicMs: number;
}

function heldLock(context: LockContext, as: Manner, holder: string, first: LockState): HeldLock {
  const { repository, clock } = context;
  let state = first;
  let timer: Disposable | undefined;
  let refreshing: Promise<void> = Promise.resolve();
  let isReleased = false;
  const refresh = async () => {
    const before = state.name;
    state = await putLock(context, as, holder);
    if (before !== state.name) await repository.store.remove(before).catch(() => undefined);
  };
  const schedule = (delayMs: number) => {
    timer = clock.after(delayMs, () => {
      refreshing = refresh().then(
        () => (isReleased ? undefined : schedule(refreshEveryMs)),
        // isHeld() tells when this went on for too long.
        () => (isReleased ? undefined : schedule(retryRefreshMs)),
      );
    });
  };
  schedule(refreshEveryMs);
  const release = async () => {
    isReleased = true;
    timer?.[Symbol.dispose]();
    await refreshing;
    timer?.[Symbol.dispose]();
    // What was done is done: a lock that can't be removed now counts no more in half an hour, or when this process has ended.
    await repository.store.remove(state.name).catch(() => undefined);
  };
  return {
    holder,
    async isHeld() {
      await refreshing;
      // A machine that slept shows on the wall clock only, one whose clock was set back on the other one only.
      const ageMs = Math.max(
        clock.now().getTime() - state.refreshedAt,
        clock.monotonicMs() - state.refreshedMonotonicMs,
      );
      return ageMs <= trustLockMs && (await repository.store.sizeOf(state.name, context.signal)) !== undefined;
    },
    async renew() {
      await refreshing;
      await refresh();
      await refuseConflicts(context, as, holder);
    },
    others: () => liveOthers(context, holder),
    release,
    [Symbol.asyncDispose]: release,
  };
}

async function putLock(context: LockContext, as: Manner, holder: string): Promise<LockState> {
  const { repository, owner, clock, randomBytes } = context;
  const { hostname, username, pid, pidSpace } = owner;
  const { role, exclusive } = lockOf[as.wish];
  const time = clock.now();
  const monotonicMs = clock.monotonicMs();
  const ours = as.marks === 'Seen' ? { holder, role, pidSpace } : undefined;
  const document: LockDocument = { time, exclusive, hostname, username, pid, ours };
  const sealed = sealDocument(repository.key, encodeLock(document), randomBytes(ivBytes));
  const name = `locks/${idOf(sealed)}`;
  await putWithReserve(repository.store, name, sealed);
  return { name, refreshedAt: time.getTime(), refreshedMonotonicMs: monotonicMs };
}

async function refuseConflicts(
  context: LockContext,
  { wish, marks }: Manner,
  holder: string | undefined,
): Promise<void> {
  const others = await liveOthers(context, holder);
  const [first, ...more] = others.filter((other) => forbids(other, wish) || (marks === 'Unseen' && other.exclusive));
  if (first === undefined) return;
  throw new StorkError({
    code: 'RepositoryLocked',
    message: `The repository is in use by ${describeLock(first)}${more.length === 0 ? '' : `, and by ${more.length} more`}`,
    about: first.name,
    hint: 'Try again when it has ended; the lock of a process that is gone counts no more after 30 minutes.',
    retryable: true,
  });
}

/** Removes what belongs to nobody any more. */
async function liveOthers(context: LockContext, holder: string | undefined): Promise<readonly StoredLock[]> {
  const { repository, clock, owner, signal } = context;
  const others = (await readLocks(repository, signal)).filter(
    ({ ours }) => ours === undefined || ours.holder !== holder,
  );
  const live: StoredLock[] = [];
  for (const lock of others)
    if (isAbandoned(lock, clock.now(), owner)) await repository.store.remove(lock.name, signal);
    else live.push(lock);
  return live;
}
