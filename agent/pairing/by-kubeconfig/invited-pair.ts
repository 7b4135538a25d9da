/** The accepting ClusterPair that an agent makes on the other cluster for a pair of its own. Pure. */
import { createHash } from 'node:crypto';
import { agentName, agentNamespace, managedByLabel } from '../../../crds/agent-names.ts';
import { applyDefaults } from '../../../crds/schema/index.ts';
import { type ClusterPair, clusterPairs } from '../../../crds/v1alpha1/index.ts';
import type { PeerGrant } from '../../peer/peer.ts';

/** uid of the ClusterPair, on the inviting agent's own cluster, that it was made for. */
export const invitedByLabel = 'stork.libopenstorage.org/invited-by';
const invitedForAnnotation = 'stork.libopenstorage.org/invited-for';

/** The code is used within seconds; this covers a slow agent. */
const ttlSeconds = 600;

/** In the other agent's namespace, the same for each try of the same pair. */
export function invitedPairKey(pair: ClusterPair): { readonly namespace: string; readonly name: string } {
  const { name, uid = '' } = pair.metadata;
  const readable = name.slice(0, 60).replace(/[^a-z0-9]+$/, '');
  return {
    namespace: agentNamespace,
    name: `${readable}-${createHash('sha256').update(uid).digest('hex').slice(0, 8)}`,
  };
}

export function planInvitedPair(
  pair: ClusterPair,
  given: { readonly endpoints: readonly string[]; readonly grant: PeerGrant; readonly cluster: string },
): ClusterPair {
  const { endpoints, cluster } = given;
  const { namespace, name, uid = '' } = pair.metadata;
  return applyDefaults(clusterPairs.schema, {
    apiVersion: clusterPairs.apiVersion,
    kind: clusterPairs.kind,
    metadata: {
      ...invitedPairKey(pair),
      labels: { [managedByLabel]: agentName, [invitedByLabel]: uid },
      annotations: { [invitedForAnnotation]: `ClusterPair ${namespace}/${name} of ${cluster}` },
    },
    spec: { accept: { endpoints: [...endpoints], ttlSeconds }, grant: mirrored(given.grant) },
  });
}

/** What we may send, the other side receives; its own default ServiceAccount writes it. */
function mirrored({ namespaces, directions, clusterScopedKinds }: PeerGrant) {
  const opposite = { Send: 'Receive', Receive: 'Send' } as const;
  return { namespaces, directions: directions.map((direction) => opposite[direction]), clusterScopedKinds };
}
