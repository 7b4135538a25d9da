/**
 * Answers `kubectl stork pair doctor`: when a ClusterPair's annotation asks, every address of its peer is tried hop by hop,
 * ours too, and the peer is dialled once more, so that what status says of the link is of now.
 */
import { probeAnnotation } from '../../crds/agent-names.ts';
import type { ClusterPair, ClusterPairStatus } from '../../crds/v1alpha1/index.ts';
import type { Clock } from '../../kube/clock.ts';
import { rfc3339 } from '../../kube/runtime/conditions.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import type { PairConfig } from '../peer/pair-link.ts';
import type { PeerService } from '../peer/peer-service.ts';

export interface ProbeServices {
  readonly service: Pick<PeerService, 'probe' | 'dialNow' | 'identity'>;
  readonly clock: Clock;
  readonly agentNamespace: string;
}

const parallelProbes = 8;
const maxTokenLength = 128;

/** What was found; what was found before while nobody asks anew. */
export async function probePair(
  pair: ClusterPair,
  config: PairConfig | undefined,
  { service, clock, agentNamespace }: ProbeServices,
  signal: AbortSignal,
): Promise<ClusterPairStatus['probe']> {
  const token = pair.metadata.annotations?.[probeAnnotation]?.slice(0, maxTokenLength);
  const before = pair.status?.probe;
  if (token === undefined || token === before?.token) return before;
  const peers = (config?.endpoints ?? []).map((endpoint) => ({
    endpoint,
    whose: 'Peer' as const,
    pin: config?.peerPin ?? '',
  }));
  // Tenants with ClusterPairs of their own must not look around in the network with the agent's eyes.
  const ours = pair.metadata.namespace === agentNamespace ? (pair.spec.accept?.endpoints ?? []) : [];
  const own = ours.map((endpoint) => ({
    endpoint,
    whose: 'Own' as const,
    pin: service.identity.pin,
  }));
  const endpoints = await mapLimit(
    [...peers, ...own],
    parallelProbes,
    async ({ endpoint, whose, pin }, stop) => {
      const { hint, ...found } = await service.probe(endpoint, pin, stop);
      return { ...found, whose, ...(hint === undefined ? {} : { hint }) };
    },
    signal,
  );
  if (config !== undefined) await service.dialNow(config.uid, signal);
  return { token, time: rfc3339(clock.now()), endpoints: [...endpoints] };
}
