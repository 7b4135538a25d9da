/** Gives every command the object lock that its repository remembers, unless it is told another; `repo set` changes what is remembered. */
import { StorkError } from '../../../kube/errors.ts';
import { readRememberedLock, rememberLock } from '../object-lock/remembered-lock.ts';
import { openRepository, openWithKey, type RandomBytes, type Repository } from '../repository.ts';
import { isWorthLocking } from '../store/locked-names.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { isDamage } from '../verify/read-document.ts';
import { type StoreRun, textsOf, wrongArgument } from './care-arguments.ts';

const optionName = 's3.object-lock=';

/** Of texts of `-o`; the last counts. */
export const lockOption = (options: unknown): string | undefined =>
  textsOf(options)
    .findLast((text) => text.startsWith(optionName))
    ?.slice(optionName.length);

interface Reopen {
  readonly options: unknown;
  readonly randomBytes: RandomBytes;
  readonly signal?: AbortSignal | undefined;
  /** The same place with one option more. */
  reopen(option: string): Promise<ObjectStore>;
}

/** Where nothing keeps versions nothing is locked, and nothing is asked. What can't be read is an error of whoever writes, of nobody who reads. */
export async function withRememberedLock(
  repository: Repository,
  { options, randomBytes, signal, reopen }: Reopen,
): Promise<Repository> {
  const { store, key } = repository;
  if (store.versions === undefined || lockOption(options) !== undefined) return repository;
  try {
    const lock = await readRememberedLock(repository, signal);
    return lock === undefined ? repository : await openWithKey(await reopen(`${optionName}${lock}`), key, randomBytes);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return await openWithKey(refusingStore(store, error), key, randomBytes);
  }
}

/** Written without its lock, an object could be removed by anybody. */
function refusingStore(store: ObjectStore, cause: StorkError): ObjectStore {
  return {
    ...store,
    async put(name, bytes, signal) {
      if (!isWorthLocking(name)) return await store.put(name, bytes, signal);
      throw new StorkError({
        code: 'ObjectLockUnknown',
        message: `How long this repository locks its objects can't be read, so nothing is written: ${cause.message}`,
        about: cause.about,
        hint: 'Say it again for all commands: `stork-agent repo set -o s3.object-lock=MODE:DAYS`; or for this one: -o s3.object-lock=MODE:DAYS.',
        cause,
      });
    },
  };
}

/** `repo set`. */
export async function runSet({ store, unlock, ambient, options, words, answer }: StoreRun): Promise<number> {
  const lock = lockOption(options.option);
  if (words.length > 0 || lock === undefined)
    throw wrongArgument('Say what is to be remembered', '-o s3.object-lock=MODE:DAYS or -o s3.object-lock=none');
  const { clock, randomBytes, signal } = ambient;
  const repository = await openRepository(store, unlock, randomBytes, signal);
  if (store.versions === undefined) throw wrongArgument('This kind of store locks nothing', store.description);
  await rememberLock({ repository, clock, randomBytes, signal }, lock);
  answer({ objectLock: lock }, [`every command that writes here uses -o s3.object-lock=${lock} from now on`]);
  return 0;
}
