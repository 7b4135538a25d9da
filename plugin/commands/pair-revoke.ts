/** `pair revoke NAME`: ends a pair at once, from either side. */
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { defineCommand } from '../command.ts';
import { placeOf } from '../pairing/pair-place.ts';

export const pairRevoke = defineCommand({
  words: [['pair'], ['revoke']],
  summary: 'Ends a pair: the other cluster can do nothing here any more.',
  positionals: { shown: 'NAME', min: 1, max: 1, completes: 'ClusterPairs' },
  flags: {},
  examples: ['kubectl stork pair revoke west'],
  async run(context, { positionals: [name = ''] }) {
    const place = placeOf(context, await context.cluster(), name);
    const { client, namespace } = place;
    await client.get(clusterPairs, { namespace, name }, { signal: context.signal });
    await client.delete(clusterPairs, { namespace, name }, { signal: context.signal });
    for (const secret of [`stork-join-${name}`, `stork-invite-${name}`]) {
      await client.delete(core.secrets, { namespace, name: secret }, { signal: context.signal });
    }
    context.print(`Pair ${name} revoked`);
    return 0;
  },
});
