/** `DELETE /v1/pair`: "my ClusterPair is gone". The peer records it; either way nobody is let in over that pair any more. */
import { object } from '../../crds/schema/index.ts';
import type { Log } from '../../kube/log.ts';
import type { PairFacts, Peer, PeerRoute } from './peer.ts';
import { jsonRoute } from './routes.ts';

const path = '/v1/pair';
const deadlineMs = 3_000;

/** @param record durable when it resolves */
export function revocationRoute(record: (pair: PairFacts, signal: AbortSignal) => Promise<void>): PeerRoute {
  return jsonRoute({ method: 'DELETE', path, answer: ({ pair, signal }) => record(pair, signal) });
}

/** Tells a connected peer; one that can't be told learns it when it next connects. */
export async function tellRevoked(peer: Peer, log: Log): Promise<void> {
  if (peer.state.ready !== 'Yes') return;
  try {
    await peer.request({ method: 'DELETE', path, answer: object({}), deadlineMs });
  } catch (error) {
    // The revocation holds without the peer knowing.
    log.info('the peer could not be told of the revocation', { pair: peer.pair, error });
  }
}
