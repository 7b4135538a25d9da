/** All locks of a repository, as they are now. */
import { StorkError } from '../../../kube/errors.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { isId } from '../format/object-id.ts';
import type { Repository } from '../repository.ts';
import type { StoredObject } from '../store/object-store.ts';
import { isDamage, isMissing, readDocument, refuseOversized } from '../verify/read-document.ts';
import { type LockDocument, parseLock } from './lock-document.ts';

export interface StoredLock extends LockDocument {
  /** Of its object. */
  readonly name: string;
}

const readsAtOnce = 8;

/**
 * Lists twice: refreshing makes a new object and removes the old one, so that one listing that takes a while can miss both.
 * A lock that can't be read is no reason to go on as if there were none: throws `LockUnreadable`.
 */
export async function readLocks(
  repository: Pick<Repository, 'store' | 'key'>,
  signal?: AbortSignal,
): Promise<readonly StoredLock[]> {
  const listed = new Map<string, StoredObject>();
  for (let listing = 0; listing < 2; listing++)
    for await (const object of repository.store.list('locks/', signal))
      if (isId(object.name.slice('locks/'.length))) listed.set(object.name, object);
  const locks = await mapLimit(
    [...listed.values()],
    readsAtOnce,
    (object) => readLock(repository, object, signal),
    signal,
  );
  return locks.filter((lock) => lock !== undefined);
}

async function readLock(
  repository: Pick<Repository, 'store' | 'key'>,
  object: StoredObject,
  signal: AbortSignal | undefined,
): Promise<StoredLock | undefined> {
  const { name } = object;
  try {
    refuseOversized(object);
    return { name, ...parseLock(await readDocument(repository, name, signal), name) };
  } catch (error) {
    // Given back, or refreshed under another name.
    if (isMissing(error)) return undefined;
    if (!isDamage(error)) throw error;
    throw new StorkError({
      code: 'LockUnreadable',
      message: 'A lock cannot be read, so nobody can say who holds it',
      about: name,
      hint: 'When nothing works on the repository, remove this object; `stork-agent verify` says what else is damaged.',
      cause: error,
    });
  }
}
