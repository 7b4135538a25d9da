/**
 * Stork's way to pair: the ClusterPair carries the other cluster's kubeconfig. It is used for what an admin with two
 * terminals does: have the agent there invite us, join with its code, confirm our key. From then on the link with its
 * pinned keys is all that is used. Each step looks at what is there, so it can be repeated after a crash between any two;
 * the code is in memory only.
 */
import type { ClusterPair } from '../../../crds/v1alpha1/index.ts';
import type { Clock } from '../../../kube/clock.ts';
import type { PeerService } from '../../peer/peer-service.ts';
import { failed, type PairProgress, type Trouble } from '../pair-progress.ts';
import { type JoinServices, joinInvitation } from '../present-code.ts';
import type { HeldTrust } from '../trust.ts';
import { describeFailure } from './describe-failure.ts';
import { type OtherClusters, reachCluster } from './reach-cluster.ts';
import { confirmThere, ensureInvitedThere } from './steps-there.ts';

export interface KubeconfigServices extends Omit<JoinServices, 'service' | 'refusedCodes'> {
  readonly service: Pick<PeerService, 'join' | 'identity' | 'peers'>;
  readonly others: OtherClusters;
  /** This cluster's name, for the admin of the other one. */
  readonly cluster: string;
  readonly agentNamespace: string;
  readonly clock: Clock;
}

const handshakeRetrySeconds = 1;
/** A wrong token, address or right is mended by somebody, here or there. */
const failureRetrySeconds = 30;

/** Also for a pair whose spec.config was removed once it had served its purpose. */
export async function ensurePairedByKubeconfig(
  pair: ClusterPair,
  services: KubeconfigServices,
  signal: AbortSignal,
): Promise<PairProgress> {
  const held = await services.trusts.find(pair.metadata.uid ?? '', signal);
  if (held?.trust.peerPin !== undefined) return await ensureConfirmed(pair, held, services, signal);
  if (pair.spec.config === undefined)
    return failed(
      'NoInvitation',
      'None of spec.accept, spec.join and spec.config says how to pair: run `kubectl stork pair accept` or `join`.',
    );
  const attempt = attempting(signal);
  const there = await attempt('Here', () => reachCluster(pair.spec.config, { ...services, signal }));
  if ('trouble' in there) return failedFor(there.trouble);
  using reached = there.result;
  const { cluster, agentNamespace } = services;
  const given = { cluster, agentNamespace, now: services.clock.now(), signal };
  const invited = await attempt('There', () => ensureInvitedThere(pair, reached, given));
  if ('trouble' in invited) return failedFor(invited.trouble);
  if (invited.result.at === 'Waiting') {
    const { message } = invited.result;
    return { at: 'Waiting', code: 'MakingInvitation', message, retrySeconds: handshakeRetrySeconds };
  }
  const { invitation } = invited.result;
  const joined = await attempt('Here', () => joinInvitation(pair, invitation, services, signal));
  return 'trouble' in joined ? failedFor(joined.trouble) : joined.result;
}

const failedFor = ({ code, message }: Trouble): PairProgress => ({
  at: 'Failed',
  code,
  message,
  retrySeconds: failureRetrySeconds,
});

/** Once both keys are known only the other admin's yes is missing, and the kubeconfig is that admin's. */
async function ensureConfirmed(
  pair: ClusterPair,
  held: HeldTrust,
  services: KubeconfigServices,
  signal: AbortSignal,
): Promise<PairProgress> {
  const { peers, identity } = services.service;
  const link = peers.findById(held.trust.pairId)?.link;
  if (pair.spec.config === undefined || link?.code !== 'AwaitingConfirmation') return { at: 'Joined', held };
  const attempt = attempting(signal);
  const confirmed = await attempt('There', async () => {
    using there = await reachCluster(pair.spec.config, { ...services, signal });
    return await confirmThere(pair, there, { ownFingerprint: identity.fingerprint, signal });
  });
  if ('trouble' in confirmed)
    return { at: 'Joined', held, trouble: confirmed.trouble, retrySeconds: failureRetrySeconds };
  return { at: 'Joined', held, retrySeconds: confirmed.result === 'Confirmed' ? undefined : handshakeRetrySeconds };
}

/** What fails at the other cluster is told in status; the rest is the controller's to tell and to retry. */
function attempting(signal: AbortSignal) {
  return async <T>(
    answered: 'Here' | 'There',
    work: () => Promise<T>,
  ): Promise<{ readonly result: T } | { readonly trouble: Trouble }> => {
    try {
      return { result: await work() };
    } catch (error) {
      signal.throwIfAborted();
      const trouble = describeFailure(error, answered);
      if (trouble === undefined) throw error;
      return { trouble };
    }
  };
}
