/** The first file of kubectl stork. Here alone the process is touched. */
import { runProgram } from '../kube/run-program.ts';
import manifest from '../package.json' with { type: 'json' };

void runProgram(process, manifest.version, () => import('./cli.ts'));
