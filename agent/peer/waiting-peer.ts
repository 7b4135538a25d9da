/** A ClusterPair whose peer isn't known yet, as a Peer: whoever names it is told why it can't be used. */
import { StorkError } from '../../kube/errors.ts';
import type { Peer } from './peer.ts';

export interface WaitingPair {
  /** uid, namespace and name of the ClusterPair. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Why it is not paired; a condition's reason and message. */
  readonly code: string;
  readonly message: string;
}

export function waitingPeer(waiting: WaitingPair): Peer {
  const { namespace, name, code, message } = waiting;
  const pair = `${namespace}/${name}`;
  const refuse = async () => {
    throw new StorkError({
      code: 'PeerNotConnected',
      message: `ClusterPair ${pair} is not paired yet: ${message}`,
      about: `ClusterPair ${pair}`,
      retryable: true,
    });
  };
  return {
    pairId: '',
    pair,
    cluster: '',
    grant: { namespaces: [], directions: [], clusterScopedKinds: [], serviceAccount: '' },
    state: { ready: 'No', code, message },
    link: {
      state: 'Connecting',
      code,
      message,
      roundTripMs: undefined,
      clockSkewMs: undefined,
      lastSeen: undefined,
      cluster: undefined,
      version: undefined,
    },
    request: refuse,
    openStream: refuse,
  };
}
