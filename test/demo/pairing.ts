/** Installs the agents with the plugin and pairs them, as the README tells a person to. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, type CommandResult, patience, repository, run } from './commands.ts';

export const agentNamespace = 'stork-system';

export interface InstallOptions {
  readonly image?: string | undefined;
  /** The image's content under a tag that stays the same: agents of another content are restarted. */
  readonly imageDigest?: string | undefined;
}

/** Of the image that was built last. */
export function builtImageDigest(): string {
  return createHash('sha256')
    .update(readFileSync(join(repository, 'dist/stork-agent-image.tar')))
    .digest('hex');
}

export async function install(cluster: Cluster, options: InstallOptions = {}): Promise<void> {
  const image = options.image === undefined ? [] : ['--image', options.image];
  // One agent: tests kill it, and look at nothing but it.
  const flags = ['--cluster-name', cluster.context, '--replicas', '1', ...image];
  expectSuccess(await cluster.stork(['install', ...flags], { timeoutMs: 180_000 }));
  if (options.imageDigest === undefined) return;
  const annotations = { 'stork.test/image-digest': options.imageDigest };
  const body = JSON.stringify({ spec: { template: { metadata: { annotations } } } });
  await cluster.kubectl(['-n', agentNamespace, 'patch', 'deployment', 'stork-agent', '--type', 'merge', '-p', body]);
  await cluster.kubectl(['-n', agentNamespace, 'rollout', 'status', 'deployment/stork-agent', '--timeout=120s']);
}

/** One command with both contexts: invitation, join and confirmation. Says so when they are paired already. */
export async function pairBoth(a: Cluster, b: Cluster): Promise<string> {
  if ((await pairStatus(a, b.context)) !== undefined) {
    await waitForPair(a, b.context);
    return `${a.context} and ${b.context} are paired already`;
  }
  const env = { KUBECONFIG: a.kubeconfig };
  const result = await run('kubectl', ['stork', 'pair', 'create', a.context, b.context], { env, timeoutMs: 120_000 });
  return expectSuccess(result).stdout;
}

async function pairStatus(side: Cluster, name: string): Promise<string | undefined> {
  const list = ['clusterpairs.stork.libopenstorage.org', '-n', agentNamespace];
  const pairs = await side.get<{ items: { metadata: { name: string }; status?: { schedulerStatus?: string } }[] }>(
    list,
  );
  const pair = pairs.items.find(({ metadata }) => metadata.name === name);
  return pair === undefined ? undefined : (pair.status?.schedulerStatus ?? '');
}

/** A pair needs a moment after its agents were restarted. */
async function waitForPair(side: Cluster, name: string): Promise<void> {
  for (let second = 0; second < 60 * patience; second++) {
    if ((await pairStatus(side, name)) === 'Ready') return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error(`ClusterPair ${name} on ${side.context} was not Ready within ${60 * patience} s`);
}

export function expectSuccess(result: CommandResult): CommandResult {
  if (result.exitCode === 0) return result;
  throw new Error(`exit code ${result.exitCode}\n${result.stdout}${result.stderr}`);
}
