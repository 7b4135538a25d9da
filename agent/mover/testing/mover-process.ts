/**
 * `stork-agent mover` as a process of its own, for tests that kill it and benchmarks that measure it: with STORK_USAGE_FILE set
 * it leaves its peak memory and CPU time there.
 */
import { writeFileSync } from 'node:fs';
import { ambientOf } from '../../../kube/ambient.ts';
import { runMover } from '../main-command.ts';

const ambient = ambientOf(process, 'test');

void runMover(process.argv.slice(2), ambient).then((code) => {
  const usageFile = ambient.env.STORK_USAGE_FILE;
  if (usageFile !== undefined) writeFileSync(usageFile, JSON.stringify(process.resourceUsage()));
  process.exitCode = code;
});
