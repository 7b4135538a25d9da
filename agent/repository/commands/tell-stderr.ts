/**
 * What a command says on standard error beside its answer: warnings, and in the end why it failed. Lines for people; with `--json` one
 * JSON document a line, the failure as restic has it (`exit_error`), with our code and hint besides.
 */
import type { Ambient } from '../../../kube/ambient.ts';
import { renderError, StorkError } from '../../../kube/errors.ts';
import { printable } from './printable.ts';

export interface Teller {
  warn(line: string): void;
  /** @returns the exit code: 1 failed, 2 wrong arguments, and as restic has them 10 no repository, 11 locked, 12 wrong password, 130 interrupted */
  fail(error: unknown): number;
}

const exitCodes: Readonly<Record<string, number>> = {
  ArgumentInvalid: 2,
  IdentityInvalid: 2,
  KeyPluginConfigInvalid: 2,
  PasswordFileInvalid: 2,
  RecipientInvalid: 2,
  StoreAddressInvalid: 2,
  StoreAddressSecret: 2,
  StoreAuthoritiesUnreadable: 2,
  StoreSettingInvalid: 2,
  UserInvalid: 2,
  RepositoryMissing: 10,
  RepositoryLocked: 11,
  WrongPassword: 12,
  Interrupted: 130,
};

/** @param argv of the command: what it asks for counts even where the rest of it can't be understood */
export function createTeller(name: string, argv: readonly string[], { stderr, signal }: Tellable): Teller {
  // On a terminal in the place of a line of progress.
  const write = (line: string) => void stderr.write(`${stderr.isTTY === true ? '\r\u001b[K' : ''}${line}\n`);
  const exitCodeOf = (error: unknown) => (error instanceof StorkError ? (exitCodes[error.code] ?? 1) : 1);
  if (!isJsonWanted(argv))
    return {
      warn: (line) => write(printable(line)),
      fail(thrown) {
        const error = signal.aborted ? interrupted() : thrown;
        write(`stork-agent ${name}: ${renderError(error)}`.split('\n').map(printable).join('\n'));
        return exitCodeOf(error);
      },
    };
  return {
    warn: (message) => write(JSON.stringify({ message_type: 'warning', message })),
    fail(thrown) {
      const error = signal.aborted ? interrupted() : thrown;
      const code = exitCodeOf(error);
      write(JSON.stringify({ message_type: 'exit_error', code, ...describe(error) }));
      return code;
    },
  };
}

type Tellable = Pick<Ambient, 'stderr' | 'signal'>;

/** Behind `--` are words, whatever they look like. */
export function isJsonWanted(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? undefined : end).includes('--json');
}

const interrupted = () => new StorkError({ code: 'Interrupted', message: 'interrupted', retryable: true });

function describe(error: unknown) {
  if (!(error instanceof StorkError)) return { message: renderError(error) };
  const { message, code, about, hint, retryable, cause } = error;
  return {
    message,
    ...{ error: code, about, hint, retryable },
    cause: cause === undefined ? undefined : renderError(cause),
  };
}
