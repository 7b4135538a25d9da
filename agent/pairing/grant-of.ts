/**
 * What a ClusterPair lets its peer do here. A pair in the agent's namespace was made by an admin of the cluster; one
 * elsewhere perhaps by the owner of that namespace, and reaches no farther than its maker: its own namespace, and nothing
 * cluster-scoped. Pure.
 */
import { peerAccount } from '../../crds/agent-names.ts';
import type { ClusterPair } from '../../crds/v1alpha1/index.ts';
import type { PeerGrant } from '../peer/peer.ts';

/**
 * A pair by invitation without a grant can talk, and do nothing. Stork's manifests know no grants: their pair leads one
 * way, as far as its namespace reaches.
 */
export function grantOf({ metadata, spec }: ClusterPair, agentNamespace: string): PeerGrant {
  const { namespace = '' } = metadata;
  const isStorks = spec.accept === undefined && spec.join === undefined && spec.grant === undefined;
  const grant = isStorks ? { namespaces: ['*'], directions: ['Send'] as const } : spec.grant;
  const given = grant?.namespaces ?? [];
  const isOfAdmin = namespace === agentNamespace;
  const own = given.some((name) => name === '*' || name === namespace) ? [namespace] : [];
  return {
    namespaces: isOfAdmin ? given : own,
    directions: grant?.directions ?? [],
    clusterScopedKinds: isOfAdmin ? (spec.grant?.clusterScopedKinds ?? []) : [],
    serviceAccount: spec.grant?.serviceAccount ?? peerAccount,
  };
}
