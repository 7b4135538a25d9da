/**
 * The object lock that a repository remembers, so that no writing command forgets it: `stork/settings/NUMBER`, sealed; the highest number
 * counts, written once as every object. Never read to restore.
 */
import { StorkError } from '../../../kube/errors.ts';
import { readJson } from '../format/read-json.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import { factOf } from '../ledger/ledger-entry.ts';
import { recordAdded, recordRemoving } from '../ledger/write-ledger.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import type { Repository } from '../repository.ts';
import { failDamaged } from '../repository-error.ts';
import { isObjectLockSetting } from '../store/store-settings.ts';
import { readSealed } from '../verify/read-document.ts';

const prefix = 'stork/settings/';
const namePattern = /^stork\/settings\/(\d{12})$/;
const nameOf = (number: number): string => `${prefix}${String(number).padStart(12, '0')}`;

/**
 * As `-o s3.object-lock` takes it (`GOVERNANCE:30`, `none`); undefined when nobody ever said.
 * @throws `RepositoryDamaged` when it was said and can't be read, deleted ones included where the store keeps versions
 */
export async function readRememberedLock(repository: Repository, signal?: AbortSignal): Promise<string | undefined> {
  const latest = (await listNumbers(repository, signal)).at(-1);
  if (latest === undefined) {
    await refuseDeleted(repository, signal);
    return undefined;
  }
  const name = nameOf(latest);
  return parseSettings(await readSealed(repository, name, signal), latest, name);
}

/** Throws `RepositoryDamaged`. */
export function parseSettings(json: Uint8Array, number: number, about: string): string {
  const read = readJson(json, about);
  if (read.count('settings') !== number) failDamaged('These are other settings of the repository', about);
  const lock = read.text('objectLock', 32);
  return isObjectLockSetting(lock) ? lock : failDamaged('The object lock to use is not MODE:DAYS or none', about);
}

/**
 * From now on every writing command uses it. Repeatable; of two at once the later number counts.
 * @param lock as `-o s3.object-lock` takes it
 */
export async function rememberLock(
  { repository, clock, randomBytes, signal }: Pick<LockContext, 'repository' | 'clock' | 'randomBytes' | 'signal'>,
  lock: string,
): Promise<void> {
  const older = await listNumbers(repository, signal);
  const time = clock.now();
  // Later than any before, deleted ones included, whose names a store with versions may not give away again.
  const number = Math.max((older.at(-1) ?? 0) + 1, Math.floor(time.getTime() / 1000));
  const json = JSON.stringify({ settings: number, objectLock: lock });
  await repository.store.put(nameOf(number), sealDocument(repository.key, json, randomBytes(ivBytes)), signal);
  const writer = { repository, randomBytes };
  await recordAdded(writer, [factOf(nameOf(number), time, `object lock ${lock}`)]);
  const names = older.map(nameOf);
  await recordRemoving(writer, names, { time, why: 'replaced' });
  await repository.store.removeMany(names, signal);
}

async function listNumbers({ store }: Repository, signal: AbortSignal | undefined): Promise<readonly number[]> {
  const numbers: number[] = [];
  for await (const { name } of store.list(prefix, signal)) {
    const [, digits] = namePattern.exec(name) ?? [];
    if (digits !== undefined) numbers.push(Number(digits));
  }
  return numbers.sort((left, right) => left - right);
}

/** Object lock comes with versions, so what was deleted is known; who may not list them is told by verify's ledger only. */
async function refuseDeleted({ store }: Repository, signal: AbortSignal | undefined): Promise<void> {
  try {
    const deleted = (await store.versions?.page(prefix, undefined, signal))?.names[0]?.name;
    if (deleted !== undefined)
      failDamaged('Somebody deleted what the repository remembered of its object lock', deleted);
  } catch (error) {
    if (!(error instanceof StorkError) || error.code !== 'StoreRefused') throw error;
  }
}
