/** `stork-agent mover` as a process of its own, for tests that kill it and benchmarks that measure it. */
import { ambientOf } from '../../../kube/ambient.ts';
import { runMover } from '../main-command.ts';

void runMover(process.argv.slice(2), ambientOf(process, 'test')).then((code) => {
  process.exitCode = code;
});
