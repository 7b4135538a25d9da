/**
 * Runs the programs a person would type, with the built artifacts first on PATH: `kubectl`, and `kubectl stork` from dist/.
 * Nothing here reaches into the product: demo and end-to-end tests see what users see.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

export const repository = resolve(import.meta.dirname, '../..');

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** On an idle machine; {@link patience} is added. */
  readonly timeoutMs?: number | undefined;
  /** Shows the program's output as it comes (the demo) as well as returning it. */
  readonly show?: 'Output' | undefined;
}

/** Times to wait are what a machine with nothing else to do needs at most; a busy one may need several times that. */
export const patience = 4;

/** The folder that a person puts on PATH: `kubectl-stork` and `kubectl_complete-stork`, once built. */
const pluginPath = join(repository, 'dist/bin');

export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  return finished(start(program, args, options), [program, ...args].join(' '), options);
}

export function start(program: string, args: readonly string[], options: RunOptions = {}): ChildProcess {
  const env = { ...process.env, PATH: `${pluginPath}:${process.env.PATH}`, ...options.env };
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');
  return child;
}

function finished(child: ChildProcess, line: string, options: RunOptions): Promise<CommandResult> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => {
    out.push(chunk);
    if (options.show) process.stdout.write(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err.push(chunk);
    if (options.show) process.stderr.write(chunk);
  });
  const timeoutMs = (options.timeoutMs ?? 300_000) * patience;
  return new Promise((resolvePromise, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${line}: no end after ${timeoutMs} ms\n${Buffer.concat(err)}`));
    }, timeoutMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolvePromise({
        exitCode: code ?? 1,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      });
    });
  });
}

/** A cluster as its user sees it: a context in a kubeconfig. */
export interface Cluster {
  readonly context: string;
  readonly kubeconfig: string;
  /** kubectl with this cluster; rejects unless it exits 0. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<string>;
  /** `kubectl stork …` with this cluster; any exit code. */
  stork(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** `kubectl apply -f -`. */
  apply(yaml: string): Promise<string>;
  /** `kubectl get … -o json`, parsed. */
  get<T = unknown>(args: readonly string[]): Promise<T>;
  /** SQL as the socket's root in a MariaDB pod; tab-separated rows without header. */
  exec(namespace: string, target: string, command: readonly string[], options?: RunOptions): Promise<string>;
}

export function cluster(kubeconfig: string, context: string): Cluster {
  const env = { KUBECONFIG: kubeconfig };
  const kubectl = async (args: readonly string[], options: RunOptions = {}): Promise<string> => {
    const result = await run('kubectl', ['--context', context, ...args], { ...options, env });
    if (result.exitCode === 0) return result.stdout;
    throw new Error(
      `kubectl --context ${context} ${args.join(' ')} exited ${result.exitCode}: ${result.stderr.trim()}`,
    );
  };
  return {
    context,
    kubeconfig,
    kubectl,
    stork: (args, options = {}) => run('kubectl', ['stork', ...args, '--context', context], { ...options, env }),
    apply: (yaml) => kubectl(['apply', '-f', '-'], { stdin: yaml }),
    get: async (args) => JSON.parse(await kubectl(['get', ...args, '-o', 'json'])),
    exec: (namespace, target, command, options) =>
      kubectl(
        ['-n', namespace, 'exec', ...(options?.stdin === undefined ? [] : ['-i']), target, '--', ...command],
        options,
      ),
  };
}
