/** What the commands about a repository have in common: where it is, how it is opened, how they answer and fail. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import type { Ambient } from '../../../kube/ambient.ts';
import { renderError, StorkError } from '../../../kube/errors.ts';
import type { Unlock } from '../keys/unlock.ts';
import { processOwner } from '../locks/process-owner.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { openRepository } from '../repository.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open-store.ts';
import { parseStoreSettings } from '../store/store-settings.ts';
import { parseAsOf } from './as-of-argument.ts';
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
}

export interface CareCommand extends RepositoryCommand<CareRun> {}

export interface RepositoryCommand<Run> {
  readonly usage: string;
  readonly options: ParseArgsOptionsConfig;
  /** Returns the exit code. */
  run(run: Run): Promise<number>;
}

const common = {
  repo: { type: 'string', short: 'r' },
  ...unlockOptions,
  option: { type: 'string', short: 'o', multiple: true },
  cacert: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

export const commonUsage = `  -r, --repo PLACE            the repository: a directory, s3:https://HOST/BUCKET/PREFIX, …
${unlockUsage}  -o, --option NAME=VALUE     of the kind of store, as s3.region=…; may be repeated
      --cacert FILE           the store's authorities, in PEM form
      --json                  answer with one JSON document
`;

/**
 * Returns the exit code, never throws for what a user can cause: 1 failed, 2 wrong arguments, and as restic has them 10 no repository,
 * 11 locked, 12 wrong password, 130 interrupted.
 */
export const runCareCommand = (
  name: string,
  command: CareCommand,
  argv: readonly string[],
  ambient: Ambient,
): Promise<number> => {
  const { clock, randomBytes, signal } = ambient;
  const run = async ({ store, ...rest }: StoreRun) => {
    const repository = await openRepository(store, rest.unlock, randomBytes, signal);
    return await command.run({ ...rest, context: { repository, owner: processOwner(), clock, randomBytes, signal } });
  };
  return runStoreCommand(name, { ...command, run }, argv, ambient);
};

/** As `runCareCommand`, for what needs no repository there yet. */
export async function runStoreCommand(
  name: string,
  command: RepositoryCommand<StoreRun>,
  argv: readonly string[],
  ambient: Ambient,
): Promise<number> {
  try {
    const { values, positionals } = parse(argv, { ...common, ...command.options });
    if (values.help === true) {
      ambient.stdout.write(command.usage);
      return 0;
    }
    const { store, unlock } = await open(values, ambient);
    return await command.run({
      ambient,
      store,
      unlock,
      options: values,
      words: positionals,
      answer(value, lines) {
        const text = values.json === true ? JSON.stringify(value) : lines.join('\n');
        if (text !== '') ambient.stdout.write(`${text}\n`);
      },
      warn: (line) => void ambient.stderr.write(`${line}\n`),
    });
  } catch (error) {
    if (ambient.signal.aborted) {
      ambient.stderr.write(`stork-agent ${name}: interrupted\n`);
      return 130;
    }
    ambient.stderr.write(`stork-agent ${name}: ${renderError(error)}\n`);
    return error instanceof StorkError ? (exitCodes[error.code] ?? 1) : 1;
  }
}

const exitCodes: Readonly<Record<string, number>> = {
  ArgumentInvalid: 2,
  IdentityInvalid: 2,
  KeyPluginConfigInvalid: 2,
  RecipientInvalid: 2,
  StoreAddressInvalid: 2,
  StoreAddressSecret: 2,
  StoreSettingInvalid: 2,
  RepositoryMissing: 10,
  RepositoryLocked: 11,
  WrongPassword: 12,
};

function parse(argv: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (cause) {
    throw wrongArgument(cause instanceof Error ? cause.message : String(cause));
  }
}

async function open(values: Readonly<Record<string, unknown>>, ambient: Ambient) {
  const { repo } = values;
  if (typeof repo !== 'string') throw wrongArgument('Say where the repository is', '--repo');
  const unlock = await readUnlock(values, ambient);
  return {
    store: await openPlace(repo, { options: values.option, cacert: values.cacert, asOf: values['as-of'] }, ambient),
    unlock,
  };
}

interface PlaceArguments {
  readonly options: unknown;
  readonly cacert: unknown;
  readonly asOf?: unknown;
}

/** @param given texts of options, as they were parsed */
export function openPlace(
  address: string,
  given: PlaceArguments,
  { env, clock, random, randomUuid, stderr }: Ambient,
): Promise<ObjectStore> {
  return openStore(address, {
    env,
    clock,
    random,
    uniqueName: randomUuid,
    settings: parseStoreSettings(textsOf(given.options)),
    asOf: typeof given.asOf === 'string' ? parseAsOf(given.asOf, clock.now()) : undefined,
    caFile: typeof given.cacert === 'string' ? given.cacert : undefined,
    onRetry: (error) => void stderr.write(`trying again: ${renderError(error)}\n`),
  });
}

/** Of an option that takes a whole number. @throws `ArgumentInvalid` */
export function wholeNumber(value: unknown, option: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^(-1|\d{1,9})$/.test(value)) return Number(value);
  throw wrongArgument(`${JSON.stringify(value)} is no whole number`, option);
}
