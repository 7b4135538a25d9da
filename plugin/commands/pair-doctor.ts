/** `pair doctor [NAME]`: names the hop that blocks a pair, and what to do next. The agent does the looking. */
import { agentName, agentNamespace, probeAnnotation } from '../../crds/agent-names.ts';
import { type ClusterPair, clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { duration } from '../flag.ts';
import { followObject } from '../follow-object.ts';
import { renderTable } from '../output/render-table.ts';
import { blockedAt, diagnosePair, type Finding } from '../pairing/diagnose-pair.ts';
import { type PairPlace, placeOf } from '../pairing/pair-place.ts';
import { adviseKinds } from './allow-kinds.ts';

const fieldManager = 'kubectl-stork';
const tickMs = 500;

export const pairDoctor = defineCommand({
  words: [['pair'], ['doctor']],
  summary: 'Finds what stands between two paired clusters, and says what to do next.',
  explains:
    'Without NAME all pairs are examined. It sees the way from this cluster; run it on the other one for the way back. Exit code 1 when a pair is blocked.',
  positionals: { shown: '[NAME]', min: 0, max: 1, completes: 'ClusterPairs' },
  flags: {
    timeout: duration({ describes: 'Wait no longer than this for the agent.', value: 'DURATION', default: '45s' }),
  },
  examples: ['kubectl stork pair doctor', 'kubectl stork pair doctor west'],
  async run(context, { positionals: [name], flags }) {
    const cluster = await context.cluster();
    const agent = await examineAgent(context, cluster.client);
    const places = name === undefined ? await allPlaces(context) : [placeOf(context, cluster, name)];
    if (places.length === 0) {
      context.print(`No pairs on ${cluster.context}: make one with kubectl stork pair create`);
      return 1;
    }
    const timeoutMs = flags.timeout;
    const examined = await Promise.all(places.map((place) => examine(context, place, { agent, timeoutMs })));
    for (const { place, findings } of examined) context.print(render(place, findings));
    const advice = await adviseKinds(context);
    if (advice !== undefined) context.print(`Note: ${advice}`);
    return examined.every(({ findings }) => blockedAt(findings) === undefined) ? 0 : 1;
  },
});

async function examineAgent({ signal }: CommandContext, client: KubeClient): Promise<Finding> {
  const found = await client.find(core.deployments, { namespace: agentNamespace, name: agentName }, { signal });
  const ready = found?.status?.readyReplicas ?? 0;
  if (found === undefined) {
    const hint = 'Install it: kubectl stork install';
    return {
      hop: 'agent',
      result: 'FAIL',
      message: 'the agent is not installed on this cluster: nothing here can talk to the peer',
      hint,
    };
  }
  if (ready > 0) return { hop: 'agent', result: 'ok', message: `${ready}/${found.spec?.replicas ?? 1} ready` };
  const hint = 'Look at it: kubectl stork status, and kubectl -n stork-system describe pods';
  return { hop: 'agent', result: 'FAIL', message: 'no pod of the agent is ready', hint };
}

async function allPlaces(context: CommandContext): Promise<readonly PairPlace[]> {
  const { client, context: named } = await context.cluster();
  const places: PairPlace[] = [];
  const options = { namespace: context.givenNamespace, signal: context.signal };
  for await (const { metadata } of client.list(clusterPairs, options))
    places.push({ client, context: named, namespace: metadata.namespace ?? '', name: metadata.name });
  return places;
}

interface Examined {
  readonly place: PairPlace;
  readonly findings: readonly Finding[];
}

async function examine(
  context: CommandContext,
  place: PairPlace,
  given: { readonly agent: Finding; readonly timeoutMs: number },
): Promise<Examined> {
  const { client, namespace, name } = place;
  const { signal } = context;
  const found = await client.find(clusterPairs, { namespace, name }, { signal });
  if (found === undefined) {
    const message = `ClusterPair ${namespace}/${name} does not exist on ${place.context}`;
    const hint = 'See which there are: kubectl stork pair list. Make one: kubectl stork pair accept, or pair join.';
    return { place, findings: [given.agent, { hop: 'object', result: 'FAIL', message, hint }] };
  }
  if (given.agent.result === 'FAIL') return { place, findings: [given.agent] };
  const pair = await askAgent(context, place, { found, timeoutMs: given.timeoutMs });
  const account = pair.pair.spec.grant?.serviceAccount;
  const grantedAccount =
    account === undefined ||
    (await client.find(core.serviceAccounts, { namespace: agentNamespace, name: account }, { signal })) !== undefined
      ? 'Exists'
      : 'Missing';
  const way = found.spec.accept !== undefined ? 'accepts' : found.spec.join !== undefined ? 'joins' : 'by kubeconfig';
  const object: Finding = { hop: 'object', result: 'ok', message: `ClusterPair ${namespace}/${name}, ${way}` };
  return { place, findings: [given.agent, object, ...diagnosePair({ ...pair, grantedAccount })] };
}

/** Asks by an annotation with a text of its own; the agent answers in `status.probe`. */
async function askAgent(
  context: CommandContext,
  place: PairPlace,
  given: { readonly found: ClusterPair; readonly timeoutMs: number },
): Promise<{ readonly pair: ClusterPair; readonly answered: 'Yes' | 'No' }> {
  const { client, namespace, name } = place;
  const { clock, random } = context.ambient;
  const { signal } = context;
  const key = { namespace, name };
  const token = `${clock.now().toISOString()} ${Math.floor(random() * 1e9)}`;
  const body = { metadata: { annotations: { [probeAnnotation]: token } } };
  await client.patch(clusterPairs, key, { type: 'merge', body }, { fieldManager, signal });
  const startedMs = clock.monotonicMs();
  let pair = given.found;
  for await (const seen of followObject({ client, resource: clusterPairs, key, clock, random, signal, tickMs })) {
    pair = seen ?? pair;
    if (seen?.status?.probe?.token === token) return { pair, answered: 'Yes' };
    if (seen === undefined || clock.monotonicMs() - startedMs > given.timeoutMs) break;
  }
  return { pair, answered: 'No' };
}

const hasLinkNote = (findings: readonly Finding[]) =>
  findings.some(({ hop, result }) => hop === 'link' && result === 'note');

function render({ context, namespace, name }: PairPlace, findings: readonly Finding[]): string {
  const blocked = blockedAt(findings);
  const title =
    blocked === undefined
      ? `Pair ${namespace}/${name} on ${context}: ${hasLinkNote(findings) ? 'connected, but see link' : 'nothing blocks it'}`
      : `Pair ${namespace}/${name} on ${context}: blocked at ${blocked.hop}`;
  const rows = findings.flatMap(({ hop, result, message, hint }) => [
    ['', result, hop, message],
    ...(hint === undefined || result === 'ok' ? [] : [['', '', '', `→ ${hint}`]]),
  ]);
  return `${title}\n${renderTable(['', '', '', ''], rows, { headers: 'Hide' })}`;
}
