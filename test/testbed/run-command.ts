/**
 * Runs a program to its end and returns what it printed. A failure names the
 * whole command and what it wrote to stderr, so that a person can repeat it.
 */
import { execFile } from 'node:child_process';

export interface CommandOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const outputLimitBytes = 64 * 1024 * 1024;
const defaultTimeoutMs = 300_000;

export class CommandFailed extends Error {
  readonly exitCode: number | string | undefined;
  readonly stderr: string;

  constructor(command: readonly string[], exitCode: number | string | undefined, stderr: string) {
    super(`${command.join(' ')}\nfailed (${exitCode ?? 'killed'}): ${stderr.trim() || 'nothing on stderr'}`);
    this.name = 'CommandFailed';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** @returns stdout; throws CommandFailed on any exit code but 0. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(
    program,
    [...args],
    {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      maxBuffer: outputLimitBytes,
      timeout: options.timeoutMs ?? defaultTimeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
    (error, stdout, stderr) => {
      if (error) reject(new CommandFailed([program, ...args], error.code ?? undefined, `${stderr}`));
      else resolve(stdout);
    },
  );
  child.stdin?.on('error', () => {
    // A program that ends without reading its input is judged by its exit code.
  });
  child.stdin?.end(options.input ?? '');
  return promise;
}

/** For questions and for cleaning up: whether the command succeeded. */
export async function tryCommand(program: string, args: readonly string[], options?: CommandOptions): Promise<boolean> {
  try {
    await runCommand(program, args, options);
    return true;
  } catch (error) {
    if (error instanceof CommandFailed) return false;
    throw error;
  }
}

/** Runs `sh -eu` with the script on stdin; `args` are $1, $2… */
export function runScript(script: string, args: readonly string[] = [], options: CommandOptions = {}): Promise<string> {
  return runCommand('sh', ['-eu', '-s', '--', ...args], { ...options, input: script });
}
