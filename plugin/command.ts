/**
 * A command is a value: its words, its flags, what it does. cli.ts picks one by its words and runs it; help and completion
 * are made from the same values.
 */
import type { Ambient } from '../kube/ambient.ts';
import type { KubeClient } from '../kube/client/client.ts';
import type { ClusterConfig } from '../kube/client/cluster-config.ts';
import type { Completes, FlagSet, ValuesOf } from './flag.ts';

/** A cluster that the user chose, with the namespace that applies there (flag, else the context's, else `default`). */
export interface Cluster {
  readonly client: KubeClient;
  readonly context: string;
  readonly namespace: string;
}

export interface CommandContext {
  readonly ambient: Ambient;
  readonly signal: AbortSignal;
  /** One line (or several) to standard output. */
  readonly print: (line: string) => void;
  /** To standard error: what is not the result. */
  readonly say: (line: string) => void;
  /** The cluster that the global flags name; connected once. */
  readonly cluster: () => Promise<Cluster>;
  /** Another context of the same kubeconfig. */
  readonly clusterOf: (context: string) => Promise<Cluster>;
  /** The current context of another kubeconfig file. */
  readonly clusterOfFile: (kubeconfig: string) => Promise<Cluster>;
  /** Where and as whom `cluster` would connect; no server is asked. */
  readonly clusterConfig: () => Promise<ClusterConfig>;
  /** The contexts of the kubeconfig, for completion. */
  readonly contexts: () => Promise<readonly string[]>;
  /** What `-n` said, if it was given. */
  readonly givenNamespace: string | undefined;
}

export interface Positionals {
  /** As help shows them, e.g. `NAMESPACE...`. */
  readonly shown: string;
  readonly min: number;
  readonly max: number;
  readonly completes?: Completes;
}

export interface Arguments<F extends FlagSet> {
  readonly positionals: readonly string[];
  readonly flags: ValuesOf<F>;
  /** Names of the flags that were given, not defaulted. */
  readonly given: ReadonlySet<string>;
}

export interface CommandOptions<F extends FlagSet> {
  /** Each word with its other spellings: `[['get'], ['migration', 'migrations']]`. */
  readonly words: readonly (readonly [string, ...string[]])[];
  readonly summary: string;
  /** More than the summary, in help. */
  readonly explains?: string;
  readonly positionals?: Positionals;
  readonly flags: F;
  readonly examples?: readonly string[];
  /** Not in lists of commands. */
  readonly hidden?: 'Yes';
  /** Resolves to the exit code. What it throws is rendered by cli.ts and ends with 1. */
  run(context: CommandContext, args: Arguments<F>): Promise<number>;
}

export interface Command {
  readonly words: readonly (readonly [string, ...string[]])[];
  readonly summary: string;
  readonly explains: string | undefined;
  readonly positionals: Positionals;
  readonly flags: FlagSet;
  readonly examples: readonly string[];
  readonly hidden: 'Yes' | undefined;
  /** @throws StorkError `BadFlag` for a flag's text that can't be read */
  readonly run: (context: CommandContext, given: GivenArguments) => Promise<number>;
}

export interface GivenArguments {
  readonly positionals: readonly string[];
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

export function defineCommand<F extends FlagSet>(options: CommandOptions<F>): Command {
  return {
    words: options.words,
    summary: options.summary,
    explains: options.explains,
    positionals: options.positionals ?? { shown: '', min: 0, max: 0 },
    flags: options.flags,
    examples: options.examples ?? [],
    hidden: options.hidden,
    run: (context, given) =>
      options.run(context, {
        positionals: given.positionals,
        flags: readFlags(options.flags, given.flags),
        given: new Set(given.flags.keys()),
      }),
  };
}

export function readFlags<F extends FlagSet>(flags: F, given: ReadonlyMap<string, readonly string[]>): ValuesOf<F> {
  const values = Object.entries(flags).map(([name, flag]) => [name, flag.read(given.get(name) ?? [], name)] as const);
  return assertValues<F>(Object.fromEntries(values));
}

/** Each flag was read by itself, under its own name. */
function assertValues<F extends FlagSet>(values: Readonly<Record<string, unknown>>): ValuesOf<F> {
  return values as ValuesOf<F>;
}
