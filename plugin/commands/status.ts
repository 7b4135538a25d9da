/** `status`: is the agent there and well, with whom is it paired, what is under way. */
import { agentName, agentNamespace, keptUntilAnnotation, leaderLabel, managedByLabel } from '../../crds/agent-names.ts';
import { clusterPairs, type Migration, migrations } from '../../crds/v1alpha1/index.ts';
import type { KubeClient, KubeObject, Resource } from '../../kube/client/client.ts';
import { core, type Deployment, type Pod } from '../../kube/client/core.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { formatTime } from '../output/format-time.ts';
import { cellsOf, columnsOf, type ObjectView } from '../output/object-view.ts';
import { renderTable } from '../output/render-table.ts';
import { describeEnd } from '../output/tell/tell-volume-snapshot.ts';
import { clusterPairView } from '../output/views/cluster-pair-view.ts';
import { migrationView, progressPartsOf, resourcesOf, skippedOf, volumesOf } from '../output/views/migration-view.ts';
import { adviseKinds } from './allow-kinds.ts';

export const status = defineCommand({
  words: [['status']],
  summary: 'Shows whether the agent is well, its pairs, the migrations under way and those that ended last.',
  explains: 'Exit code 1 when the agent is not installed or not ready.',
  flags: {},
  async run(context) {
    const { client, context: named } = await context.cluster();
    const namespace = context.givenNamespace ?? agentNamespace;
    const signal = context.signal;
    const agent = await client.find(core.deployments, { namespace, name: agentName }, { signal });
    if (agent === undefined) {
      const where = context.givenNamespace === undefined ? named : `${named} in namespace ${namespace}`;
      const advice =
        context.givenNamespace === undefined
          ? 'kubectl stork install'
          : `leave out -n: it is the agent's namespace, ${agentNamespace} unless it was installed elsewhere`;
      context.print(`Agent: not installed on ${where} (${advice})`);
      return 1;
    }
    const pods = await listAll(client, core.pods, {
      namespace,
      labelSelector: `app.kubernetes.io/name=${agentName}`,
      signal,
    });
    context.print(describeAgent(agent, pods));
    const advice = await adviseKinds(context);
    if (advice !== undefined) context.print(advice);
    await printPairs(context, client);
    await printMigrations(context, client);
    await printKept(context, client);
    return (agent.status?.readyReplicas ?? 0) > 0 ? 0 : 1;
  },
});

function describeAgent(agent: Deployment, pods: readonly Pod[]): string {
  const ready = agent.status?.readyReplicas ?? 0;
  const image = agent.spec?.template.spec?.containers[0]?.image ?? '';
  const leader = pods.find((pod) => pod.metadata.labels?.[leaderLabel] === 'true')?.metadata.name;
  const lines = [
    `Agent: ${ready}/${agent.spec?.replicas ?? 1} ready, ${image}, ${leader === undefined ? 'no leader yet' : `leader ${leader}`}`,
  ];
  const waiting = pods.flatMap((pod) =>
    (pod.status?.containerStatuses ?? []).map((one) => [pod.metadata.name, one.state?.waiting] as const),
  );
  for (const [name, state] of waiting) {
    if (state !== undefined) lines.push(`  ${name}: ${state.reason ?? 'waiting'} ${state.message ?? ''}`.trimEnd());
  }
  return lines.join('\n');
}

async function printPairs(context: CommandContext, client: KubeClient): Promise<void> {
  const pairs = await listAll(client, clusterPairs, { signal: context.signal });
  const shown = { wide: 'Yes', namespaces: 'Show', now: context.ambient.clock.now() } as const;
  context.print(
    pairs.length === 0
      ? '\nNo pairs (kubectl stork pair create)'
      : `\nPairs:\n${renderTable(
          columnsOf(clusterPairView, shown),
          pairs.map((pair) => cellsOf(clusterPairView, pair, shown)),
        )}`,
  );
}

async function printMigrations(context: CommandContext, client: KubeClient): Promise<void> {
  const all = await listAll(client, migrations, { signal: context.signal });
  const running = all.filter(isRunning);
  const shown = { wide: 'No', namespaces: 'Show', now: context.ambient.clock.now() } as const;
  const table = (view: ObjectView<Migration>, shownOnes: readonly Migration[]) =>
    renderTable(
      columnsOf(view, shown),
      shownOnes.map((migration) => cellsOf(view, migration, shown)),
    );
  context.print(
    running.length === 0 ? '\nNo migration is under way' : `\nMigrations under way:\n${table(runningView, running)}`,
  );
  const ended = all
    .filter(({ status: seen }) => seen?.stage === 'Final')
    .toSorted(byEnd)
    .slice(0, endedShown);
  if (ended.length === 0) return;
  const why = 'Why something failed or was left out: kubectl stork describe migration/NAME -n NAMESPACE';
  context.print(`\nMigrations that ended last:\n${table(endedView, ended)}\n${why}`);
}

const endedShown = 5;

const byEnd = (one: Migration, other: Migration): number =>
  (other.status?.finishTimestamp ?? '').localeCompare(one.status?.finishTimestamp ?? '');

const runningView: ObjectView<Migration> = {
  ...migrationView,
  columns: [
    ...migrationView.columns.filter(({ wide }) => wide === undefined),
    { name: 'PROGRESS', cell: (migration) => progressPartsOf(migration).join(', ') },
  ],
};

const endedView: ObjectView<Migration> = {
  ...migrationView,
  columns: [
    { name: 'CLUSTERPAIR', cell: ({ spec }) => spec.clusterPair },
    { name: 'STATUS', cell: ({ status: seen }) => seen?.status ?? '' },
    { name: 'VOLUMES', cell: volumesOf },
    { name: 'RESOURCES', cell: resourcesOf },
    { name: 'SKIPPED', cell: skippedOf },
    { name: 'ENDED', cell: ({ status: seen }) => formatTime(seen?.finishTimestamp) },
  ],
};

function isRunning({ status: seen }: Migration): boolean {
  return seen?.stage !== 'Final' && seen?.stage !== 'Planned';
}

/** What overwritten volumes held, in namespaces that the user may see. */
async function printKept(context: CommandContext, client: KubeClient): Promise<void> {
  const labelSelector = `${managedByLabel}=${agentName}`;
  const found = await listAll(client, core.volumeSnapshots, { labelSelector, signal: context.signal });
  const rows = found.flatMap(({ metadata, spec }) => {
    const until = metadata.annotations?.[keptUntilAnnotation];
    const claim = spec.source.persistentVolumeClaimName ?? '';
    return until === undefined ? [] : [[metadata.namespace ?? '', metadata.name, claim, describeEnd(until)]];
  });
  if (rows.length === 0) return;
  context.print(`\nKept snapshots:\n${renderTable(['NAMESPACE', 'NAME', 'OF', 'REMOVED'], rows)}`);
}

/** A kind whose CRD isn't there, or that the user may not list, has no objects. */
async function listAll<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  options: { readonly namespace?: string; readonly labelSelector?: string; readonly signal: AbortSignal },
): Promise<readonly T[]> {
  try {
    const found: T[] = [];
    for await (const object of client.list(resource, options)) found.push(object);
    return found;
  } catch (error) {
    if (isNotFound(error) || (resource.plural === core.volumeSnapshots.plural && isForbidden(error))) return [];
    throw error;
  }
}
