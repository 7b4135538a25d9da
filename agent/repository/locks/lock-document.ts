/**
 * An object under `locks/`: who works on the repository. restic's own fields, so that stock restic respects our locks, and one more
 * of ours that it ignores. Source: "Locks" of restic's design document.
 */

import { jsonReader, readJson } from '../format/read-json.ts';
import { failDamaged } from '../repository-error.ts';

/** `alone`: nothing else may write. `collector`: of all of these one works at a time. */
export const lockRoles = ['reader', 'writer', 'collector', 'alone'] as const;
export type LockRole = (typeof lockRoles)[number];

/** What only our locks tell. */
export interface OurLock {
  /** Stays the same when a lock is refreshed, which changes its object. */
  readonly holder: string;
  readonly role: LockRole;
  /** The space that the process id belongs to: a boot of a machine and a pid namespace. */
  readonly pidSpace: string;
}

export interface LockDocument {
  /** When it was made or last refreshed. */
  readonly time: Date;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  /** Undefined for locks of stock restic. */
  readonly ours: OurLock | undefined;
}

export function encodeLock({ time, exclusive, hostname, username, pid, ours }: LockDocument): string {
  return JSON.stringify({ time: time.toISOString(), exclusive, hostname, username, pid, stork: ours });
}

/** Throws `RepositoryDamaged`. */
export function parseLock(json: Uint8Array, about: string): LockDocument {
  const read = readJson(json, about);
  const time = new Date(read.text('time', 64));
  if (Number.isNaN(time.getTime())) failDamaged('A lock has no time', about);
  return {
    time,
    exclusive: read.flag('exclusive'),
    hostname: read.optionalText('hostname') ?? '',
    username: read.optionalText('username') ?? '',
    pid: read.optionalCount('pid') ?? 0,
    ours: readOurs(JSON.parse(Buffer.from(json).toString('utf8')), about),
  };
}

function readOurs(lock: { readonly stork?: unknown }, about: string): OurLock | undefined {
  if (lock.stork === undefined || lock.stork === null) return undefined;
  const read = jsonReader(lock.stork, about);
  const role =
    lockRoles.find((one) => one === read.text('role', 16)) ?? failDamaged('A lock has an unknown role', about);
  return { holder: read.text('holder', 64), role, pidSpace: read.optionalText('pidSpace', 256) ?? '' };
}
