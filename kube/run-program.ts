/**
 * What both programs do first: answers `--version` by itself, else loads the command line and runs it.
 * Keep it tiny: what this file imports is paid for by every start.
 */
import { isSea } from 'node:sea';
import { type Ambient, ambientOf, type HostProcess } from './ambient.ts';
import { keepThreadPoolAwake } from './keep-thread-pool-awake.ts';

/** An exit code, or the wish to be started anew with the same arguments. */
export type Ending = number | 'StartAnew';

export interface CommandLine {
  readonly run: (argv: readonly string[], ambient: Ambient) => Promise<Ending>;
}

/** What of a Node process a program needs to begin and to end. */
export interface ProgramHost extends HostProcess {
  readonly argv: readonly string[];
  readonly argv0: string;
  readonly execArgv: readonly string[];
  readonly execPath: string;
  exitCode?: string | number | null | undefined;
  /** Absent where the system has none. */
  execve?(file: string, args: readonly string[], env: NodeJS.ProcessEnv): never;
}

/** As a shell has it for who was ended by SIGPIPE: never success, as what was to be done may not have been. */
const brokenPipeCode = 141;

/**
 * Sets the exit code of `host`. A reader of our output that went away ends us quietly; output that has no room, with what failed; what the
 * command had ended with by then, if that was no success, stays. That nobody hears what standard error says ends nothing: what was
 * asked for, as a backup, goes on.
 */
export async function runProgram(host: ProgramHost, version: string, load: () => Promise<CommandLine>): Promise<void> {
  host.stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isBrokenPipe = error.code === 'EPIPE';
    if (!isBrokenPipe) host.stderr.write(`Standard output can't be written: ${error.message}\n`);
    host.exit(Number(host.exitCode ?? 0) || (isBrokenPipe ? brokenPipeCode : 1));
  });
  host.stderr.on('error', () => undefined);
  const argv = host.argv.slice(2);
  if (argv.length === 1 && argv[0] === '--version') {
    host.stdout.write(`${version}\n`);
    return;
  }
  keepThreadPoolAwake();
  const { run } = await load();
  const ending = await run(argv, ambientOf(host, version));
  if (ending === 'StartAnew') startAnew(host, isSea() ? [] : [...host.execArgv, host.argv[1] ?? '']);
  else host.exitCode = ending;
}

/**
 * The same program from its very beginning in the same process: to a kubelet its container never ended, so it doesn't make the next start
 * wait (10 s, then twice that, up to five minutes). Where that can't be done, it ends with 1.
 */
function startAnew(host: ProgramHost, own: readonly string[]): void {
  host.exitCode = 1;
  host.execve?.(host.execPath, [host.argv0, ...own, ...host.argv.slice(2)], { ...host.env });
}
