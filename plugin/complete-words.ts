/** What the last word of an unfinished command line can become. Asks the cluster for names; whatever fails completes nothing. */
import { agentNamespace } from '../crds/agent-names.ts';
import { clusterPairs, migrations, resourceTransformations, rules } from '../crds/v1alpha1/index.ts';
import type { KubeObject, Resource } from '../kube/client/client.ts';
import { core } from '../kube/client/core.ts';
import type { Command, CommandContext } from './command.ts';
import type { Completes, Flag } from './flag.ts';
import { globalFlags } from './global-flags.ts';
import { findCommand } from './parse-command-line.ts';

/** More are of no use to a person. */
const maxCandidates = 500;

/** Lines `value<TAB>description`, those that begin as the last word does. */
export async function completeWords(
  context: CommandContext,
  commands: readonly Command[],
  words: readonly string[],
): Promise<readonly string[]> {
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const { command, words: path, candidates } = findCommand(commands, before);
  const flags: Readonly<Record<string, Flag<unknown>>> = { ...globalFlags, ...command?.flags };
  const lines = await candidatesOf(context, { last, before, flags, command, path, candidates });
  return lines.filter((line) => line.startsWith(last)).slice(0, maxCandidates);
}

interface Situation {
  readonly last: string;
  readonly before: readonly string[];
  readonly flags: Readonly<Record<string, Flag<unknown>>>;
  readonly command: Command | undefined;
  readonly path: readonly string[];
  readonly candidates: readonly Command[];
}

async function candidatesOf(context: CommandContext, situation: Situation): Promise<readonly string[]> {
  const { last, before, flags, command, path, candidates } = situation;
  const attached = /^--([a-z-]+)=/.exec(last);
  if (attached !== null) {
    const values = await valuesOf(context, flags[attached[1] ?? '']?.completes);
    return values.map((value) => `${attached[0]}${value}`);
  }
  if (last.startsWith('-')) {
    const shown = Object.entries(flags).filter(([, flag]) => flag.hidden === undefined);
    return shown.map(([name, flag]) => `--${name}\t${flag.describes}`);
  }
  const awaiting = flagAwaitingValue(flags, before.at(-1));
  if (awaiting !== undefined) return valuesOf(context, awaiting.completes);
  if (command !== undefined) return valuesOf(context, command.positionals.completes);
  const visible = candidates.filter((one) => one.hidden === undefined);
  const next = visible.map(
    (one) => [one.words[path.length]?.[0] ?? '', one.words.length === path.length + 1 ? one.summary : ''] as const,
  );
  return [...new Map(next)].map(([word, summary]) => (summary === '' ? word : `${word}\t${summary}`));
}

function flagAwaitingValue(
  flags: Readonly<Record<string, Flag<unknown>>>,
  token: string | undefined,
): Flag<unknown> | undefined {
  if (token === undefined || !token.startsWith('-') || token.includes('=')) return undefined;
  const found = Object.entries(flags).findLast(
    ([name, flag]) => token === `--${name}` || token === `-${flag.short}`,
  )?.[1];
  return found?.kind === 'value' && found.bare === undefined ? found : undefined;
}

async function valuesOf(context: CommandContext, completes: Completes | undefined): Promise<readonly string[]> {
  if (completes === undefined) return [];
  if (typeof completes !== 'string') return completes;
  try {
    return await namesOf(context, completes);
  } catch {
    // No cluster, no permission, no CRD: the person gets no candidates, as kubectl does it.
    return [];
  }
}

async function namesOf(context: CommandContext, completes: Completes): Promise<readonly string[]> {
  switch (completes) {
    case 'Contexts':
      return context.contexts();
    case 'Namespaces':
      return listNames(context, core.namespaces, 'Cluster');
    case 'Migrations':
      return listNames(context, migrations, 'Namespace');
    case 'Rules':
      return listNames(context, rules, 'Namespace');
    case 'ResourceTransformations':
      return listNames(context, resourceTransformations, 'Namespace');
    case 'ClusterPairs':
      return listNames(context, clusterPairs, 'NamespaceAndAgents');
    default:
      return [];
  }
}

async function listNames<T extends KubeObject>(
  context: CommandContext,
  resource: Resource<T>,
  where: 'Cluster' | 'Namespace' | 'NamespaceAndAgents',
): Promise<readonly string[]> {
  const { client, namespace } = await context.cluster();
  const places = { Cluster: [undefined], Namespace: [namespace], NamespaceAndAgents: [namespace, agentNamespace] };
  const names = new Set<string>();
  for (const place of new Set(places[where])) {
    const page = await client.listPage(resource, { namespace: place, pageSize: maxCandidates, signal: context.signal });
    for (const { metadata } of page.items) names.add(metadata.name);
  }
  return [...names].sort();
}

/** The flags of a line that is being typed: what is known and complete counts, the rest is passed over. */
export function flagsSoFar(words: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const flags = new Map<string, readonly string[]>();
  for (const [index, word] of words.entries()) {
    const [head = '', ...tail] = word.split('=');
    const found = Object.entries(globalFlags).find(([name, flag]) => head === `--${name}` || head === `-${flag.short}`);
    if (found === undefined || found[1].kind === 'switch') continue;
    const value = tail.length > 0 ? tail.join('=') : words[index + 1];
    if (value !== undefined && index + 1 < words.length) flags.set(found[0], [value]);
  }
  return flags;
}
