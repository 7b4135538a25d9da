/** `pair create A B`: both ends from one terminal, confirmation included, since this terminal sees both fingerprints. */
import { StorkError } from '../../kube/errors.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { text, texts } from '../flag.ts';
import { findEndpoints } from '../pairing/find-endpoints.ts';
import { describeGrant, grantFlags, grantOf, type PairPlace, placeOf, waitFlags } from '../pairing/pair-place.ts';
import { confirm, invite, join, waitForJoiner, waitUntilReady } from '../pairing/pair-steps.ts';

/** The code is used at once; this covers a slow agent. */
const ttlSeconds = 600;

export const pairCreate = defineCommand({
  words: [['pair'], ['create']],
  summary: 'Pairs two clusters of your kubeconfig.',
  explains:
    "CONTEXT-A's agent dials CONTEXT-B's. Afterwards applications can be migrated both ways, as the grants say.",
  positionals: { shown: 'CONTEXT-A CONTEXT-B', min: 2, max: 2, completes: 'Contexts' },
  flags: {
    ...grantFlags,
    ...waitFlags,
    endpoint: texts({
      describes: "HOST:PORT at which CONTEXT-A reaches CONTEXT-B's agent (default: found).",
      value: 'HOST:PORT',
    }),
    'back-endpoint': texts({
      describes: "HOST:PORT at which CONTEXT-B reaches CONTEXT-A's agent, so that either may dial (default: found).",
      value: 'HOST:PORT',
    }),
    name: text({ describes: "The pair's name on CONTEXT-A (default: CONTEXT-B's).", value: 'NAME' }),
    'peer-name': text({ describes: "The pair's name on CONTEXT-B (default: CONTEXT-A's).", value: 'NAME' }),
  },
  examples: ['kubectl stork pair create east west', 'kubectl stork pair create east west --name remotecluster'],
  async run(context, { positionals: [a = '', b = ''], flags }) {
    if (a === b)
      throw new StorkError({
        code: 'BadUsage',
        message: 'a cluster is not paired with itself',
        hint: 'Name two contexts.',
      });
    const [clusterA, clusterB] = [await context.clusterOf(a), await context.clusterOf(b)];
    const joining = placeOf(context, clusterA, flags.name ?? nameOf(b));
    const accepting = placeOf(context, clusterB, flags['peer-name'] ?? nameOf(a));
    const endpoints = flags.endpoint.length > 0 ? flags.endpoint : await findEndpoints(context, accepting);
    const back = flags['back-endpoint'].length > 0 ? flags['back-endpoint'] : await findBack(context, joining);
    const grant = grantOf(flags);
    const timeoutMs = flags.timeout;

    const code = await invite(context, accepting, { endpoints, ttlSeconds, grant, timeoutMs });
    context.print(`${b}: invitation made, reachable at ${endpoints.join(', ')}`);
    const fingerprint = await join(context, joining, { code, endpoints: back, grant, timeoutMs });
    const reachable = back.length === 0 ? '' : `, reachable at ${back.join(', ')}`;
    context.print(`${a}: joined as ${fingerprint}${reachable}`);
    const pair = await waitForJoiner(context, accepting, timeoutMs);
    const seen = pair.status?.peer?.fingerprint ?? '';
    if (seen !== fingerprint) throw otherFingerprint({ seen, fingerprint, accepting: b });
    await confirm(context, accepting, pair);
    context.print(`${b}: confirmed ${seen}`);
    for (const place of [accepting, joining]) await waitUntilReady(context, place, timeoutMs);
    context.print(`Paired: ${joining.name} on ${a}, ${accepting.name} on ${b}, both Ready`);
    context.say(`${describeGrant(grant)}, on both clusters.`);
    context.say(`Migrate with: kubectl stork migrate NAMESPACE --to ${joining.name} --context ${a}`);
    return 0;
  },
});

/** One side that can be dialled is enough, so knowing no address of the joining one stops nothing. */
async function findBack(context: CommandContext, joining: PairPlace): Promise<readonly string[]> {
  try {
    return await findEndpoints(context, joining);
  } catch (error) {
    if (error instanceof StorkError && error.code === 'NoEndpoint') return [];
    throw error;
  }
}

/** A context's name as an object's name: `admin@east` becomes `admin-east`. */
function nameOf(context: string): string {
  const name = context
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return name.slice(0, 200) || 'peer';
}

function otherFingerprint(seen: {
  readonly seen: string;
  readonly fingerprint: string;
  readonly accepting: string;
}): StorkError {
  return new StorkError({
    code: 'OtherFingerprint',
    message: `${seen.accepting} was joined by ${seen.seen}, not by ${seen.fingerprint}: somebody stands between the clusters`,
    hint: 'The pair was not confirmed. Revoke it on both sides and look at the network between them.',
  });
}
