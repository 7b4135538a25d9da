/** Which locks still count, and which of them forbid what. Pure. */
import type { LockDocument, LockRole } from './lock-document.ts';

const minuteMs = 60_000;
/** As restic: a lock that was not refreshed for so long belongs to nobody. */
export const lockLifeMs = 30 * minuteMs;
export const refreshEveryMs = 5 * minuteMs;
/** A writer that could not refresh for so long no longer trusts its lock: well before others take it for abandoned. */
export const trustLockMs = 20 * minuteMs;

/** The process that asks, to recognize locks of dead processes beside it. */
export interface ProcessNeighbours {
  readonly pidSpace: string;
  isAlive(pid: number): boolean;
}

/**
 * Whether whoever made the lock is gone: it is old, or its process is known to be dead. A process id of another pid space says
 * nothing, nor does one of stock restic, which doesn't tell its space (two pods may share a host's name).
 */
export function isAbandoned(lock: LockDocument, now: Date, here: ProcessNeighbours): boolean {
  if (now.getTime() - lock.time.getTime() > lockLifeMs) return true;
  const isBeside = lock.ours !== undefined && lock.ours.pidSpace !== '' && lock.ours.pidSpace === here.pidSpace;
  return isBeside && !here.isAlive(lock.pid);
}

/**
 * - `read`, `write`: beside everything but stock restic's exclusive work (prune, forget, check) and our repair.
 * - `mark`: the collector's first phase: beside writers, stock restic's too; never two collectors.
 * - `delete`: its second: stock restic must not run, because it knows nothing of marks; our own writers may.
 * - `alone`: nothing else.
 */
export type LockWish = 'read' | 'write' | 'mark' | 'delete' | 'alone';

export const lockOf: Readonly<Record<LockWish, { readonly role: LockRole; readonly exclusive: boolean }>> = {
  read: { role: 'reader', exclusive: false },
  write: { role: 'writer', exclusive: false },
  mark: { role: 'collector', exclusive: false },
  delete: { role: 'collector', exclusive: true },
  alone: { role: 'alone', exclusive: true },
};

/** Whether another's live lock forbids the wish. */
export function forbids(other: LockDocument, wish: LockWish): boolean {
  const role = other.ours?.role;
  switch (wish) {
    case 'read':
    case 'write':
      return role === 'alone' || (role === undefined && other.exclusive);
    case 'mark':
      return role === 'alone' || role === 'collector' || (role === undefined && other.exclusive);
    case 'delete':
      return role === 'alone' || role === 'collector' || role === undefined;
    case 'alone':
      return true;
    default:
      return wish satisfies never;
  }
}

/** For people. */
export function describeLock({ hostname, username, pid, exclusive, ours, time }: LockDocument): string {
  const program = ours === undefined ? 'restic' : `stork-agent (${ours.role})`;
  return `${program} of ${username || 'somebody'}@${hostname || 'an unnamed host'}, pid ${pid}, ${exclusive ? 'exclusive' : 'shared'}, last seen ${time.toISOString()}`;
}
