/** The command line of kubectl stork: which words do what. Loaded only when main.ts could not answer by itself. */
import type { Ambient } from '../kube/ambient.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { allCommands } from './commands/all-commands.ts';
import { runCommandLine } from './run-command-line.ts';

/** Runs one command line; returns the exit code, never throws for what a user can cause. */
export function run(argv: readonly string[], ambient: Ambient): Promise<number> {
  return runCommandLine(argv, { ambient, access: lazyAccess(ambient), commands: allCommands });
}

/** The client is loaded when a command reaches for a cluster: help and mistakes are answered without it. */
function lazyAccess(ambient: Ambient): ClusterAccess {
  const load = async () => (await import('./connect-clusters.ts')).connectClusters(ambient);
  return {
    connect: async (selection) => (await load()).connect(selection),
    configOf: async (selection) => (await load()).configOf(selection),
    contexts: async (selection) => (await load()).contexts(selection),
  };
}
