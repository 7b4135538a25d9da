/** `pair list`: every pair, whom it is with and how it is. */
import type { ClusterPair } from '../../crds/v1alpha1/index.ts';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { defineCommand } from '../command.ts';
import { formatTime } from '../output/format-time.ts';
import type { ObjectView } from '../output/object-view.ts';
import { printingFlags } from '../output/output-format.ts';
import { printObjects } from '../output/print-objects.ts';
import { sayNothingFound } from '../output/say-nothing-found.ts';
import { clusterPairView } from '../output/views/cluster-pair-view.ts';

const view: ObjectView<ClusterPair> = {
  ...clusterPairView,
  columns: [
    { name: 'PEER', cell: ({ status }) => status?.peer?.cluster ?? '' },
    { name: 'STATUS', cell: ({ status }) => status?.schedulerStatus ?? '' },
    { name: 'FINGERPRINT', cell: ({ status }) => status?.peer?.fingerprint ?? '' },
    {
      name: 'GRANTS',
      cell: ({ spec }) => `${(spec.grant?.directions ?? []).join(',')}:${(spec.grant?.namespaces ?? []).join(',')}`,
    },
    { name: 'LAST-SEEN', cell: ({ status }) => formatTime(status?.lastSeenTime) },
    { name: 'CONDITION', cell: ({ status }) => status?.conditions?.find((one) => one.type === 'Ready')?.message ?? '' },
  ],
};

export const pairList = defineCommand({
  words: [['pair'], ['list', 'ls']],
  summary: 'Shows all pairs.',
  flags: printingFlags,
  async run(context, { flags }) {
    const { client } = await context.cluster();
    const found: ClusterPair[] = [];
    const options = { namespace: context.givenNamespace, signal: context.signal };
    for await (const pair of client.list(clusterPairs, options)) found.push(pair);
    if (found.length === 0) {
      sayNothingFound(context, context.givenNamespace);
      return 0;
    }
    const headers = flags['no-headers'] ? 'Hide' : 'Show';
    const namespaces = context.givenNamespace === undefined ? 'Show' : 'Hide';
    const now = context.ambient.clock.now();
    context.print(printObjects(view, found, { format: flags.output, headers, namespaces, now, as: 'List' }));
    return 0;
  },
});
