/** `pair rotate`: replaces this cluster's key; peers follow by themselves, since the old key signs the new one. */
import { rotateAnnotation } from '../../crds/agent-names.ts';
import { type ClusterPair, clusterPairs } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { type Cluster, type CommandContext, defineCommand } from '../command.ts';
import { followObject } from '../follow-object.ts';
import { waitFlags } from '../pairing/pair-place.ts';

const fieldManager = 'kubectl-stork';
const tickMs = 500;

export const pairRotate = defineCommand({
  words: [['pair'], ['rotate']],
  summary: "Replaces this cluster's key; its peers follow by themselves.",
  explains:
    'The new key is signed by the old one, so nobody pairs anew, not even with a peer that is away. The agent does this by itself once a year.',
  flags: { ...waitFlags },
  examples: ['kubectl stork pair rotate'],
  async run(context, { flags }) {
    const cluster = await context.cluster();
    const pairs = await listPairs(context, cluster);
    const [first] = pairs;
    if (first === undefined) {
      const message = `there is no pair on ${cluster.context}, so nobody knows its key`;
      throw new StorkError({ code: 'NoPairs', message, hint: 'Pair first: kubectl stork pair create' });
    }
    const fingerprint = await ask(context, { cluster, pair: first, timeoutMs: flags.timeout });
    context.print(`New key on ${cluster.context}: ${fingerprint}`);
    const { length } = pairs;
    context.say(
      `Its ${length === 1 ? 'peer follows' : `${length} peers follow`} when connected next; nothing is to be done there.`,
    );
    return 0;
  },
});

async function listPairs({ signal }: CommandContext, { client }: Cluster): Promise<readonly ClusterPair[]> {
  const found: ClusterPair[] = [];
  for await (const pair of client.list(clusterPairs, { signal })) found.push(pair);
  return found;
}

/** Any one pair carries the question; the key is the agent's, for all of them. */
async function ask(
  context: CommandContext,
  given: { readonly cluster: Cluster; readonly pair: ClusterPair; readonly timeoutMs: number },
): Promise<string> {
  const { client } = given.cluster;
  const { name, namespace = '' } = given.pair.metadata;
  const { clock, random } = context.ambient;
  const { signal } = context;
  const key = { namespace, name };
  const body = {
    metadata: { annotations: { [rotateAnnotation]: `${clock.now().toISOString()} ${Math.floor(random() * 1e9)}` } },
  };
  await client.patch(clusterPairs, key, { type: 'merge', body }, { fieldManager, signal });
  const startedMs = clock.monotonicMs();
  const former = given.pair.status?.ownFingerprint;
  for await (const pair of followObject({ client, resource: clusterPairs, key, clock, random, signal, tickMs })) {
    const fingerprint = pair?.status?.ownFingerprint;
    const taken = pair !== undefined && pair.metadata.annotations?.[rotateAnnotation] === undefined;
    if (taken && fingerprint !== undefined && fingerprint !== former) return fingerprint;
    if (pair === undefined || clock.monotonicMs() - startedMs > given.timeoutMs) break;
  }
  throw new StorkError({
    code: 'StillWaiting',
    message: `the agent of ${given.cluster.context} has not replaced its key in time`,
    hint: 'It does so once it runs: kubectl stork status',
  });
}
