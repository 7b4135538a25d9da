/**
 * What a ClusterPair lets its peer do here. A pair in the agent's namespace was made by an admin of the cluster; one
 * elsewhere perhaps by the owner of that namespace, and reaches no farther than its maker: its own namespace, and nothing
 * cluster-scoped. Pure.
 */
import { peerAccount } from '../../crds/agent-names.ts';
import type { ClusterPair } from '../../crds/v1alpha1/index.ts';
import type { PeerGrant } from '../peer/peer.ts';

/** A pair without a grant can talk, and do nothing. */
export function grantOf({ metadata, spec: { grant } }: ClusterPair, agentNamespace: string): PeerGrant {
  const { namespace = '' } = metadata;
  const given = grant?.namespaces ?? [];
  const isOfAdmin = namespace === agentNamespace;
  const own = given.some((name) => name === '*' || name === namespace) ? [namespace] : [];
  return {
    namespaces: isOfAdmin ? given : own,
    directions: grant?.directions ?? [],
    clusterScopedKinds: isOfAdmin ? (grant?.clusterScopedKinds ?? []) : [],
    serviceAccount: grant?.serviceAccount ?? peerAccount,
  };
}
