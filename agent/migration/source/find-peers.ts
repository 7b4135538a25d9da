/** The pairs that a migration goes over: its own, and one for cluster-scoped objects where spec.adminClusterPair names one. */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import type { Peer } from '../../peer/peer.ts';
import type { SourceServices } from './source-services.ts';

export type FoundPeers =
  | { readonly found: 'Yes'; readonly peer: Peer; readonly admin: Peer }
  /** `Wait`: it may become ready; `Refuse`: only a person can mend it. */
  | { readonly found: 'No'; readonly next: 'Wait' | 'Refuse'; readonly code: string; readonly message: string };

export async function findPeers(
  services: SourceServices,
  migration: Migration,
  signal: AbortSignal,
): Promise<FoundPeers> {
  const { clusterPair, adminClusterPair } = migration.spec;
  const peer = await findPeer(services, { migration, name: clusterPair, field: 'ClusterPair' }, signal);
  if ('found' in peer || (adminClusterPair ?? '') === '')
    return 'found' in peer ? peer : { found: 'Yes', peer, admin: peer };
  const named = { migration, name: adminClusterPair ?? '', field: 'ClusterPair (spec.adminClusterPair)' };
  const admin = await findPeer(services, named, signal);
  if ('found' in admin) return admin;
  if (admin.cluster !== peer.cluster)
    return refuse(
      'AdminPairElsewhere',
      `ClusterPair ${admin.pair} (spec.adminClusterPair) leads to ${admin.cluster}, but ${peer.pair} to ${peer.cluster}`,
    );
  if (!admin.grant.directions.includes('Send'))
    return refuse(
      'GrantRefused',
      `The ClusterPair ${admin.pair} (spec.adminClusterPair) does not let anything leave this cluster. Its admin can add Send to spec.grant.directions.`,
    );
  return { found: 'Yes', peer, admin };
}

async function findPeer(
  services: SourceServices,
  of: { readonly migration: Migration; readonly name: string; readonly field: string },
  signal: AbortSignal,
): Promise<Peer | Extract<FoundPeers, { readonly found: 'No' }>> {
  const { migration, name, field } = of;
  const peer = await services.peers.find(migration.metadata.namespace ?? '', name, signal);
  if (peer === undefined)
    return refuse(
      'ClusterPairNotFound',
      `${field} ${name} does not exist here or in ${services.agentNamespace}. \`kubectl stork pair list\` shows those there are.`,
    );
  if (peer.state.ready === 'Yes') return peer;
  const message = `${field} ${peer.pair} is not Ready: ${peer.state.message}`;
  return { found: 'No', next: 'Wait', code: 'ClusterPairNotReady', message };
}

const refuse = (code: string, message: string) => ({ found: 'No', next: 'Refuse', code, message }) as const;
