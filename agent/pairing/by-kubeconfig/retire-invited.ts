/**
 * The other end's tidying: a ClusterPair that a peer's agent made here, with this cluster's kubeconfig, goes once it is of
 * no use, because the peer deleted its own or never came. Nobody here made it, so nobody here would think of it.
 */
import { agentNamespace } from '../../../crds/agent-names.ts';
import { type ClusterPair, clusterPairs } from '../../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import type { PairProgress } from '../pair-progress.ts';
import { invitedByLabel } from './invited-pair.ts';

export async function retireInvited(
  client: KubeClient,
  pair: ClusterPair,
  progress: PairProgress,
  signal: AbortSignal,
): Promise<'Retired' | 'Kept'> {
  if (!isSpent(pair, progress)) return 'Kept';
  const { namespace, name, uid } = pair.metadata;
  await client.delete(clusterPairs, { namespace, name }, { uid, signal });
  return 'Retired';
}

/** Pure. The label says nothing elsewhere than in the agent's namespace, which users can't write to. */
export function isSpent({ metadata }: ClusterPair, progress: PairProgress): boolean {
  if (metadata.namespace !== agentNamespace || metadata.labels?.[invitedByLabel] === undefined) return false;
  if (progress.at === 'Joined') return progress.held.trust.revoked !== undefined;
  return progress.at === 'Failed' && progress.code === 'CodeExpired';
}
