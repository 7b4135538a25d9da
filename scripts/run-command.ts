/** Runs another program to its end. What it printed is shown when it fails, and only then. */
import { spawn } from 'node:child_process';
import { StorkError } from '../kube/errors.ts';

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Lets the program write to our own output instead of collecting it. */
  readonly output?: 'collect' | 'inherit';
}

/**
 * @returns what it wrote to stdout
 * @throws CommandFailed with the end of its output when it exits ≠ 0 or can't be started
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const chunks: { readonly stdout: Buffer[]; readonly all: Buffer[] } = { stdout: [], all: [] };
  const inherit = options.output === 'inherit';
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', inherit ? 'inherit' : 'pipe', inherit ? 'inherit' : 'pipe'],
  });
  child.stdout?.on('data', (chunk: Buffer) => void chunks.stdout.push(chunk));
  child.stdout?.on('data', (chunk: Buffer) => void chunks.all.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => void chunks.all.push(chunk));
  const ending = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `it ended with ${signal ?? `code ${code}`}`));
  });
  if (ending === undefined) return Buffer.concat(chunks.stdout).toString();
  const printed = Buffer.concat(chunks.all).toString().trim().split('\n').slice(-30).join('\n');
  throw new StorkError({
    code: 'CommandFailed',
    message: `${command} ${args.join(' ')}: ${ending}`,
    ...(printed === '' ? {} : { hint: printed }),
  });
}

/** The npm that started us, else the one on PATH. */
export async function runNpm(args: readonly string[], cwd: string): Promise<string> {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  return npm !== undefined && node !== undefined
    ? await runCommand(node, [npm, ...args], { cwd })
    : await runCommand('npm', args, { cwd });
}

/** Runs one of our scripts under the Node we run under, with our output; returns its exit code. */
export async function runNode(script: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
