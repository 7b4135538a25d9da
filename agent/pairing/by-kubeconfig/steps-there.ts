/**
 * What an admin of the other cluster would do, done with the kubeconfig's rights: ask the agent there for an invitation, and
 * confirm the key that joined. Each looks at what is there first and can be repeated.
 */
import { type ClusterPair, clusterPairs } from '../../../crds/v1alpha1/index.ts';
import { core } from '../../../kube/client/core.ts';
import { StorkError } from '../../../kube/errors.ts';
import { findPairEndpoints } from '../../../kube/find-pair-endpoints.ts';
import { type Invitation, parseCode } from '../../peer/invitation.ts';
import { grantOf } from '../grant-of.ts';
import { inviteSecretName } from '../invite.ts';
import { decideInvitation } from './decide-invitation.ts';
import { invitedPairKey, planInvitedPair } from './invited-pair.ts';
import type { ReachedCluster } from './reach-cluster.ts';

export type InvitationThere =
  | { readonly at: 'Invited'; readonly invitation: Invitation }
  | { readonly at: 'Waiting'; readonly message: string };

/** @throws StorkError what the other cluster lacks; ApiError its API server's refusal */
export async function ensureInvitedThere(
  pair: ClusterPair,
  { client, server }: ReachedCluster,
  given: {
    readonly cluster: string;
    readonly agentNamespace: string;
    readonly now: Date;
    readonly signal: AbortSignal;
  },
): Promise<InvitationThere> {
  const { cluster, agentNamespace, now, signal } = given;
  const key = invitedPairKey(pair);
  const present = await client.find(clusterPairs, key, { signal });
  const decision = decideInvitation({ present, uid: pair.metadata.uid ?? '', now });
  switch (decision.do) {
    case 'Create': {
      const endpoints = await endpointsThere({ client, server }, signal);
      const grant = grantOf(pair, agentNamespace);
      await client.create(clusterPairs, planInvitedPair(pair, { endpoints, grant, cluster }), { signal });
      return waiting(`The agent on the cluster of ${server} was asked for an invitation.`);
    }
    case 'Replace':
      await client.delete(clusterPairs, key, { uid: decision.uid, signal });
      return waiting(`The former invitation of ${server} can't be used, so it is made anew.`);
    case 'UseCode': {
      const secret = await client.find(core.secrets, { ...key, name: inviteSecretName(key.name) }, { signal });
      const code = secret?.data?.code;
      if (code === undefined) return waiting(`${server} invites, and its code is not there yet.`);
      return { at: 'Invited', invitation: parseCode(Buffer.from(code, 'base64').toString()) };
    }
    case 'Wait':
      return waiting(decision.message);
    case 'Fail':
      throw new StorkError({ code: decision.code, message: decision.message, hint: decision.hint });
    default:
      return decision satisfies never;
  }
}

/**
 * Confirms our own key and no other, should another have joined before or meanwhile.
 * @throws StorkError `OtherFingerprint`; ApiError the API server's refusal
 */
export async function confirmThere(
  pair: ClusterPair,
  { client }: ReachedCluster,
  { ownFingerprint, signal }: { readonly ownFingerprint: string; readonly signal: AbortSignal },
): Promise<'Confirmed' | 'NotJoinedThere'> {
  const key = invitedPairKey(pair);
  const { status } = await client.get(clusterPairs, key, { signal });
  const joined = status?.peer?.fingerprint;
  if (joined === undefined) return 'NotJoinedThere';
  if (joined !== ownFingerprint)
    throw new StorkError({
      code: 'OtherFingerprint',
      message: `The invitation there was used by ${joined}, and this agent is ${ownFingerprint}: somebody stands between the clusters`,
      hint: 'It was not confirmed. Delete the ClusterPair on both clusters and look at the network between them.',
    });
  const body = [
    { op: 'test', path: '/status/peer/fingerprint', value: ownFingerprint },
    { op: 'add', path: '/spec/confirmedFingerprint', value: ownFingerprint },
  ] as const;
  await client.patch(clusterPairs, key, { type: 'json', body }, { signal });
  return 'Confirmed';
}

async function endpointsThere(
  { client, server }: Pick<ReachedCluster, 'client' | 'server'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = await findPairEndpoints(client, signal);
  if (found === 'NotInstalled')
    throw new StorkError({
      code: 'RemoteAgentMissing',
      message: `No stork agent is installed on the cluster of ${server}`,
      hint: 'Its admin installs it: `kubectl stork install`.',
    });
  if (found.length > 0) return found;
  throw new StorkError({
    code: 'RemoteEndpointUnknown',
    message: `No address is known at which the agent on the cluster of ${server} can be reached`,
    hint: 'Its admin names one: `kubectl stork install --pair-endpoint HOST:PORT`.',
  });
}

const waiting = (message: string): InvitationThere => ({ at: 'Waiting', message });
