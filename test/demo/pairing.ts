/** Installs the agents with the plugin and pairs them, as the README tells a person to. */
import { type Cluster, type CommandResult, run } from './commands.ts';

export interface InstallOptions {
  readonly image?: string | undefined;
}

export async function install(cluster: Cluster, options: InstallOptions = {}): Promise<void> {
  const image = options.image === undefined ? [] : ['--image', options.image];
  expectSuccess(await cluster.stork(['install', '--cluster-name', cluster.context, ...image], { timeoutMs: 180_000 }));
}

/** One command with both contexts: invitation, join and confirmation. Says so when they are paired already. */
export async function pairBoth(a: Cluster, b: Cluster): Promise<string> {
  const pairs = await a.get<{ items: { metadata: { name: string }; status?: { schedulerStatus?: string } }[] }>([
    'clusterpairs.stork.libopenstorage.org',
    '-n',
    'stork-system',
  ]);
  const paired = pairs.items.find(
    ({ metadata, status }) => metadata.name === b.context && status?.schedulerStatus === 'Ready',
  );
  if (paired !== undefined) return `${a.context} and ${b.context} are paired already`;
  const env = { KUBECONFIG: a.kubeconfig };
  const result = await run('kubectl', ['stork', 'pair', 'create', a.context, b.context], { env, timeoutMs: 120_000 });
  return expectSuccess(result).stdout;
}

export function expectSuccess(result: CommandResult): CommandResult {
  if (result.exitCode === 0) return result;
  throw new Error(`exit code ${result.exitCode}\n${result.stdout}${result.stderr}`);
}
