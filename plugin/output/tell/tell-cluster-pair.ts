/** The story of a ClusterPair: with whom, by which way, what it lets the peer do, and how its link is. Pure. */
import type { ClusterPair } from '../../../crds/v1alpha1/index.ts';
import { formatTime } from '../format-time.ts';
import { conditionsSection, facts } from './section.ts';

export function tellClusterPair({ metadata, spec, status }: ClusterPair): readonly string[] {
  const { peer } = status ?? {};
  return [
    facts([
      ['Cluster pair', `${metadata.namespace}/${metadata.name}`],
      ['Made', formatTime(metadata.creationTimestamp)],
      ['Way', wayOf(spec)],
      ['Scheduler', status?.schedulerStatus ?? 'no agent has picked it up'],
      ['Storage', status?.storageStatus],
      ['Grant', grantOf(spec)],
      ['Own key', status?.ownFingerprint],
      ['Peer', [peer?.cluster, peer?.version].filter(Boolean).join(', ')],
      ['Peer key', peer?.fingerprint],
      ['Peer at', (peer?.endpoints ?? []).join(', ')],
      ['Round trip', status?.roundTripMs === undefined ? '' : `${status.roundTripMs} ms`],
      ['Clock skew', status?.clockSkewMs === undefined ? '' : `${status.clockSkewMs} ms`],
      ['Last seen', formatTime(status?.lastSeenTime)],
    ]),
    ...conditionsSection(status?.conditions),
  ];
}

function wayOf({ accept, join, config }: ClusterPair['spec']): string {
  if (accept !== undefined) return `invites a peer, reachable at ${accept.endpoints.join(', ')}`;
  if (join !== undefined) return 'joined by code';
  return config === undefined ? 'none' : "the peer's kubeconfig in spec.config";
}

function grantOf({ grant }: ClusterPair['spec']): string {
  if (grant === undefined) return 'none in spec.grant';
  return `${(grant.directions ?? []).join(' and ')}; namespaces ${grant.namespaces.join(', ')}; as ${grant.serviceAccount}`;
}
