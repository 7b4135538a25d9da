/**
 * The first file of kubectl stork: answers `--version` by itself, else loads the command line and runs it.
 * Here alone the process is touched. Keep it tiny: what this file imports is paid for by every start.
 */

import { ambientOf } from '../kube/ambient.ts';
import manifest from '../package.json' with { type: 'json' };

const brokenPipe = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
};

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && argv[0] === '--version') {
    process.stdout.write(`${manifest.version}\n`);
    return 0;
  }
  const { run } = await import('./cli.ts');
  return await run(argv, ambientOf(process, manifest.version));
}

process.stdout.on('error', brokenPipe);
void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
