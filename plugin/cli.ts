/** The command line of kubectl stork: which words do what. Loaded only when main.ts could not answer by itself. */
import type { Ambient } from '../kube/ambient.ts';

/** Runs one command line; returns the exit code, never throws for what a user can cause. */
export async function run(argv: readonly string[], ambient: Ambient): Promise<number> {
  ambient.stderr.write(`kubectl stork: unknown command ${JSON.stringify(argv[0] ?? '')}\n`);
  return 1;
}
