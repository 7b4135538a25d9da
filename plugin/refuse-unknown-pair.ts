/**
 * A mistyped pair is told before anything is created: the agent would only leave a Failed Migration behind. Where this user
 * may not see the pairs that the agent sees, the agent decides.
 */
import { agentNamespace } from '../crds/agent-names.ts';
import { clusterPairs, type Migration } from '../crds/v1alpha1/index.ts';
import type { KubeClient } from '../kube/client/client.ts';
import { isForbidden, isNotFound, StorkError } from '../kube/errors.ts';
import type { CommandContext } from './command.ts';

const namesShown = 10;

/** @throws StorkError `ClusterPairNotFound` naming the pairs there are */
export async function refuseUnknownPair(context: CommandContext, migration: Migration): Promise<void> {
  const { client } = await context.cluster();
  const { clusterPair, adminClusterPair = '' } = migration.spec;
  const { namespace = '' } = migration.metadata;
  const homes = [...new Set([namespace, agentNamespace])];
  const seen = await readablePairs(client, homes, context.signal);
  if (seen === undefined) return;
  const names = [...new Set(seen.filter((pair) => homes.includes(pair.namespace)).map(({ name }) => name))].toSorted();
  for (const wanted of [clusterPair, adminClusterPair]) {
    // One of that name in yet another namespace: the agent may be installed there.
    if (wanted === '' || seen.some(({ name }) => name === wanted)) continue;
    const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : '';
    throw new StorkError({
      code: 'ClusterPairNotFound',
      message: `there is no ClusterPair ${wanted} in ${homes.map((home) => `namespace ${home}`).join(' or ')}; nothing was created`,
      hint:
        names.length === 0
          ? 'There is no pair yet. Make one: kubectl stork pair create HERE THERE'
          : `There is: ${names.slice(0, namesShown).join(', ')}${more}. See: kubectl stork pair list`,
    });
  }
}

interface SeenPair {
  readonly namespace: string;
  readonly name: string;
}

/** `undefined`: not all of those that count may be seen, or the kind isn't served. */
async function readablePairs(
  client: KubeClient,
  homes: readonly string[],
  signal: AbortSignal,
): Promise<readonly SeenPair[] | undefined> {
  try {
    return await listIn(client, [undefined], signal);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    if (!isForbidden(error)) throw error;
  }
  try {
    return await listIn(client, homes, signal);
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

async function listIn(
  client: KubeClient,
  namespaces: readonly (string | undefined)[],
  signal: AbortSignal,
): Promise<readonly SeenPair[]> {
  const found: SeenPair[] = [];
  for (const namespace of namespaces)
    for await (const { metadata } of client.list(clusterPairs, { namespace, signal }))
      found.push({ namespace: metadata.namespace ?? '', name: metadata.name });
  return found;
}
