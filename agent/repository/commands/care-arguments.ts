/** What the commands about a repository have in common: where it is, how it is opened, how they answer and fail. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import type { Ambient } from '../../../kube/ambient.ts';
import type { Unlock } from '../keys/unlock.ts';
import type { LocalLimits } from '../local-limits.ts';
import { processOwner } from '../locks/process-owner.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { openRepository } from '../repository.ts';
import { aheadStore } from '../store/ahead-store.ts';
import type { StoreLimits } from '../store/limit-store.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open-store.ts';
import { retryLimits, unattendedLimits } from '../store/patience.ts';
import { parseStoreSettings } from '../store/store-settings.ts';
import { parseAsOf } from './as-of-argument.ts';
import { printable } from './printable.ts';
import { withRememberedLock } from './remembered-lock-argument.ts';
import { createTeller, type Teller } from './tell-stderr.ts';
import { tellWaiting } from './tell-waiting.ts';
import { readUnlock, textsOf, unlockOptions, unlockUsage, wrongArgument } from './unlock-arguments.ts';

export { textsOf, wrongArgument };

export interface CareRun {
  readonly ambient: Ambient;
  readonly context: LockContext;
  readonly unlock: Unlock;
  /** Texts and flags by name; lists for options that may come more than once. */
  readonly options: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  readonly words: readonly string[];
  /** One JSON document with `--json`, else the lines. */
  answer(value: unknown, lines: readonly string[]): void;
  /** A line for people, beside the answer. */
  warn(line: string): void;
}

/** Of a command that wants the place only. */
export interface StoreRun extends Pick<CareRun, 'ambient' | 'unlock' | 'options' | 'words' | 'answer' | 'warn'> {
  readonly store: ObjectStore;
  /** The same place with one text of `-o` more. */
  reopen(option: string): Promise<ObjectStore>;
}

/** Of a command that needs no key to what lies there. */
export interface PlaceRun extends Omit<StoreRun, 'unlock'> {}

/** What a restore reads all of. */
const restoredBy = ['index/', 'snapshots/'];

export interface CareCommand extends RepositoryCommand<CareRun> {
  /**
   * It writes nothing but locks, and needs all indexes and snapshots: they come while the key is derived, and what the repository remembers
   * for writers isn't asked for.
   */
  readonly purpose?: 'Restore';
}

export interface RepositoryCommand<Run> {
  readonly usage: string;
  readonly options: ParseArgsOptionsConfig;
  /** Whether it has arguments besides its options, and looks at all of them; otherwise one is refused. */
  readonly words?: 'Taken';
  /** Returns the exit code. */
  run(run: Run): Promise<number>;
}

const common = {
  repo: { type: 'string', short: 'r' },
  option: { type: 'string', short: 'o', multiple: true },
  cacert: { type: 'string' },
  'limit-upload': { type: 'string' },
  'limit-download': { type: 'string' },
  'limit-requests': { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

const placeUsage = `  -r, --repo PLACE            the repository: a directory, s3:https://HOST/BUCKET/PREFIX, rest:https://HOST:PORT/, …
`;
const storeUsage = `  -o, --option NAME=VALUE     of the kind of store, as s3.region=…; may be repeated
      --cacert FILE           the store's authorities, in PEM form
      --limit-upload KIB      KiB a second to the store at most;  --limit-download KIB  from it;  --limit-requests N  requests a second
      --json                  answer with one JSON document; failures and warnings too, one a line, on standard error
`;
/** Of commands that need a password, and of those that need none. */
export const commonUsage = placeUsage + unlockUsage + storeUsage;
export const placeOnlyUsage = placeUsage + storeUsage;

/** Returns the exit code (those of `Teller.fail` among them), never throws for what a user can cause. */
export const runCareCommand = (
  name: string,
  command: CareCommand,
  argv: readonly string[],
  ambient: Ambient,
): Promise<number> => {
  const { clock, randomBytes, signal } = ambient;
  const run = async ({ store, reopen, ...rest }: StoreRun) => {
    const ended = new AbortController();
    using _ahead = { [Symbol.dispose]: () => ended.abort() };
    const isRestore = command.purpose === 'Restore';
    const read = isRestore ? aheadStore(store, restoredBy, AbortSignal.any([signal, ended.signal])) : store;
    const opened = await openRepository(read, rest.unlock, randomBytes, signal);
    const { option, 'as-of': asOf } = rest.options;
    const lock = { options: option, randomBytes, signal, reopen };
    const repository = asOf === undefined && !isRestore ? await withRememberedLock(opened, lock) : opened;
    return await command.run({ ...rest, context: { repository, owner: processOwner(), clock, randomBytes, signal } });
  };
  return runStoreCommand(name, { ...command, run }, argv, ambient);
};

/** As `runCareCommand`, for what needs no repository there yet. */
export const runStoreCommand = (
  name: string,
  command: RepositoryCommand<StoreRun>,
  argv: readonly string[],
  ambient: Ambient,
): Promise<number> => {
  const run = async (place: PlaceRun) =>
    await command.run({ ...place, unlock: await readUnlock(place.options, place) });
  return runPlaceCommand(name, { ...command, run, options: { ...unlockOptions, ...command.options } }, argv, ambient);
};

/** As `runCareCommand`, for what needs no password. */
export const runPlaceCommand = (
  name: string,
  command: RepositoryCommand<PlaceRun>,
  argv: readonly string[],
  ambient: Ambient,
): Promise<number> => {
  const run = async ({ options, words, warn }: PlainRun) => {
    const reopen = (...more: readonly string[]) => openAt(options, more, { ambient, warn });
    return await command.run({
      ambient,
      store: await reopen(),
      reopen,
      options,
      words,
      answer(value, lines) {
        const text = options.json === true ? JSON.stringify(value) : lines.map(printable).join('\n');
        if (text !== '') ambient.stdout.write(`${text}\n`);
      },
      warn,
    });
  };
  return runReported(name, { ...command, run, options: { ...common, ...command.options } }, argv, ambient);
};

/** Of a command that is about no place. */
export type PlainRun = Pick<CareRun, 'options' | 'words' | 'warn'>;

/** As `runCareCommand`, for what is about no place. */
export async function runReported(
  name: string,
  { usage, options, words, run }: RepositoryCommand<PlainRun>,
  argv: readonly string[],
  ambient: Ambient,
): Promise<number> {
  const { warn, fail }: Teller = createTeller(name, argv, ambient);
  try {
    const { values, positionals } = parse(argv, { help: { type: 'boolean', short: 'h' }, ...options });
    if (values.help === true) {
      ambient.stdout.write(usage);
      return 0;
    }
    if (words === undefined && positionals.length > 0)
      throw wrongArgument('It takes no such argument', positionals.join(' '));
    return await run({ options: values, words: positionals, warn });
  } catch (error) {
    return fail(error);
  }
}

/** Done but for what was named. */
export const incompleteExitCode = 3;

function parse(argv: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (cause) {
    throw wrongArgument(cause instanceof Error ? cause.message : String(cause));
  }
}

/** @param more texts of `-o` */
async function openAt(values: Readonly<Record<string, unknown>>, more: readonly string[], to: Opener) {
  const { repo, cacert, 'as-of': asOf } = values;
  if (typeof repo !== 'string') throw wrongArgument('Say where the repository is', '--repo');
  const options = [...textsOf(values.option), ...more];
  return await openPlace(repo, { options, cacert, asOf, limits: storeLimitsOf(values) }, to);
}

export type Opener = Pick<CareRun, 'ambient' | 'warn'>;

interface PlaceArguments {
  readonly options: unknown;
  readonly cacert: unknown;
  readonly asOf?: unknown;
  readonly limits?: StoreLimits;
}

/** @param given texts of options, as they were parsed */
export function openPlace(
  address: string,
  given: PlaceArguments,
  { ambient: { env, clock, random, randomUuid, stderr }, warn }: Opener,
): Promise<ObjectStore> {
  return openStore(address, {
    env,
    clock,
    random,
    uniqueName: randomUuid,
    settings: parseStoreSettings(textsOf(given.options)),
    asOf: typeof given.asOf === 'string' ? parseAsOf(given.asOf, clock.now()) : undefined,
    limits: given.limits,
    caFile: typeof given.cacert === 'string' ? given.cacert : undefined,
    onRetry: tellWaiting(address, clock, warn),
    retryLimits: stderr.isTTY === true ? retryLimits : unattendedLimits,
  });
}

export const storeLimitsOf = (values: Readonly<Record<string, unknown>>): StoreLimits => ({
  uploadBytesPerS: kibPerS(values, 'limit-upload'),
  downloadBytesPerS: kibPerS(values, 'limit-download'),
  requestsPerS: perSecond(values, 'limit-requests'),
});

/** Of a command that reads or writes data of its own: options `limit-local`, `limit-iops`. @throws `ArgumentInvalid` */
export const localLimitsOf = (values: Readonly<Record<string, unknown>>): LocalLimits => ({
  bytesPerS: kibPerS(values, 'limit-local'),
  operationsPerS: perSecond(values, 'limit-iops'),
});

export const localLimitOptions = { 'limit-local': { type: 'string' }, 'limit-iops': { type: 'string' } } as const;

/** In restic's unit. */
function kibPerS(values: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const kib = perSecond(values, name);
  return kib === undefined ? undefined : kib * 1024;
}

function perSecond(values: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const count = wholeNumber(values[name], `--${name}`);
  if (count === undefined || count > 0) return count;
  throw wrongArgument('A limit is above 0; leave it out for none', `--${name}`);
}

/** Of an option that takes a whole number. @throws `ArgumentInvalid` */
export function wholeNumber(value: unknown, option: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^(-1|\d{1,9})$/.test(value)) return Number(value);
  throw wrongArgument(`${JSON.stringify(value)} is no whole number`, option);
}
