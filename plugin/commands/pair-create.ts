/** `pair create A B`: both ends from one terminal, confirmation included, since this terminal sees both fingerprints. */
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { text, texts } from '../flag.ts';
import { findEndpoints, findEndpointsIfAny } from '../pairing/find-endpoints.ts';
import { describeGrant, grantFlags, grantOf, nameOfContext, placeOf, waitFlags } from '../pairing/pair-place.ts';
import { pairTwo } from '../pairing/pair-two.ts';
import { parseEndpoints } from '../pairing/parse-endpoint.ts';

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
    const joining = placeOf(context, clusterA, flags.name ?? nameOfContext(b));
    const accepting = placeOf(context, clusterB, flags['peer-name'] ?? nameOfContext(a));
    const given = parseEndpoints('endpoint', flags.endpoint);
    const givenBack = parseEndpoints('back-endpoint', flags['back-endpoint']);
    const endpoints = given.length > 0 ? given : await findEndpoints(context, accepting);
    const back = givenBack.length > 0 ? givenBack : await findEndpointsIfAny(context, joining);
    const grant = grantOf(flags);
    await pairTwo(context, {
      joining: { called: a, place: joining, grant },
      accepting: { called: b, place: accepting, grant },
      endpoints,
      back,
      timeoutMs: flags.timeout,
    });
    context.print(`Paired: ${joining.name} on ${a}, ${accepting.name} on ${b}, both Ready`);
    context.say(`${describeGrant(grant)}, on both clusters.`);
    context.say(`Migrate with: kubectl stork migrate NAMESPACE --to ${joining.name} --context ${a}`);
    return 0;
  },
});
