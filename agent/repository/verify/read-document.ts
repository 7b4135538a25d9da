/** Reads objects that are named by the digest of their bytes, and says what is wrong with those that aren't what they should be. */
import { StorkError } from '../../../kube/errors.ts';
import { idOf } from '../format/object-id.ts';
import { documentLimitBytes, unsealDocument } from '../format/unpacked.ts';
import type { Repository } from '../repository.ts';
import { failDamaged } from '../repository-error.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Bytes may be hurt on their way: only what is wrong each time is wrong in the store. */
const readAttempts = 3;

/** Of an index, snapshot, lock, mark or key slot, before it is read: no writer makes them so large. Throws `RepositoryDamaged`. */
export function refuseOversized({ name, sizeBytes }: { readonly name: string; readonly sizeBytes: number }): void {
  if (sizeBytes > documentLimitBytes) failDamaged(`An object of ${sizeBytes} bytes is too large for a document`, name);
}

/** @param name ends in the digest. Throws `ObjectMissing`, `RepositoryDamaged`; what the store throws. */
export async function readNamed(store: ObjectStore, name: string, signal?: AbortSignal): Promise<Buffer> {
  const id = name.slice(name.lastIndexOf('/') + 1);
  for (let attempt = 1; ; attempt++) {
    const bytes = await store.get(name, undefined, signal);
    if (idOf(bytes) === id) return bytes;
    if (attempt === readAttempts) return failDamaged('An object is not what its name says', name);
  }
}

/** The JSON bytes of an index, snapshot, lock or one of our sealed documents. Throws as `readNamed`. */
export async function readDocument(
  { store, key }: Pick<Repository, 'store' | 'key'>,
  name: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  return unsealDocument(key, await readNamed(store, name, signal), name);
}

/** The JSON bytes of a sealed document that has a name of its own. */
export async function readSealed(
  { store, key }: Pick<Repository, 'store' | 'key'>,
  name: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    const sealed = await store.get(name, undefined, signal);
    try {
      return unsealDocument(key, sealed, name);
    } catch (error) {
      if (attempt === readAttempts || !isDamage(error)) throw error;
    }
  }
}

export const isMissing = (error: unknown): boolean => error instanceof StorkError && error.code === 'ObjectMissing';

/** Whether the error tells of the object itself: another store or another time would not help. */
export const isDamage = (error: unknown): error is StorkError =>
  error instanceof StorkError && ['RepositoryDamaged', 'ObjectMissing', 'ObjectTooShort'].includes(error.code);
