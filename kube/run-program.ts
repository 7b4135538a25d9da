/**
 * What both programs do first: answers `--version` by itself, else loads the command line and runs it.
 * Keep it tiny: what this file imports is paid for by every start.
 */
import { type Ambient, ambientOf, type HostProcess } from './ambient.ts';
import { keepThreadPoolAwake } from './keep-thread-pool-awake.ts';

export interface CommandLine {
  /** @returns the exit code */
  readonly run: (argv: readonly string[], ambient: Ambient) => Promise<number>;
}

/** Sets the exit code of `host`. A reader of our output that went away ends us quietly. */
export async function runProgram(
  host: HostProcess & { readonly argv: readonly string[]; exitCode?: string | number | null | undefined },
  version: string,
  load: () => Promise<CommandLine>,
): Promise<void> {
  host.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    host.exit(0);
  });
  const argv = host.argv.slice(2);
  if (argv.length === 1 && argv[0] === '--version') {
    host.stdout.write(`${version}\n`);
    return;
  }
  keepThreadPoolAwake();
  const { run } = await load();
  host.exitCode = await run(argv, ambientOf(host, version));
}
