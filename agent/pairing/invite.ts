/**
 * The accepting side up to a joiner: an invitation is minted once, its code lies in the Secret `stork-invite-<pair>` beside
 * the ClusterPair until it is used or expires. The code itself is nowhere else, so when that Secret is lost early, another
 * invitation is minted under a new pair id and the lost code is worthless.
 */
import { isManagedByAgent } from '../../crds/agent-names.ts';
import type { ClusterPair } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import { mintInvitation } from '../peer/invitation.ts';
import { createSecret, deleteSecret, findSecret, type StoredSecret } from '../peer/secret-store.ts';
import { failed, type PairProgress } from './pair-progress.ts';
import type { HeldTrust, TrustStore } from './trust.ts';

export interface InviteServices {
  readonly client: KubeClient;
  readonly trusts: TrustStore;
  readonly pin: string;
  readonly now: Date;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
}

const pairLabel = 'stork.libopenstorage.org/pair';

export const inviteSecretName = (pair: string) => `stork-invite-${pair}`;

export async function ensureInvitation(
  pair: ClusterPair,
  services: InviteServices,
  signal: AbortSignal,
): Promise<PairProgress> {
  const { client, trusts, now } = services;
  const { name, namespace = '', uid = '' } = pair.metadata;
  const secret = inviteSecretName(name);
  const place = { client, namespace, name: secret, signal };
  const held = await trusts.find(uid, signal);
  const present = await findSecret(place);
  switch (decideInvitation({ held, present, uid, now })) {
    case 'Joined':
      if (isOfPair(present, uid)) await deleteSecret(place);
      return held === undefined ? failed('InvalidPairTrust', 'The pair has no key') : { at: 'Joined', held };
    case 'Expired':
      if (isOfPair(present, uid)) await deleteSecret(place);
      return failed('CodeExpired', expiredMessage(held), held);
    case 'Keep':
      return invited(held, secret);
    case 'Foreign':
      return failed('SecretNotOurs', `Secret ${namespace}/${secret} was not made by stork: rename or delete it.`);
    case 'Mint':
      await deleteSecret(place);
      return mint(pair, held, services, signal);
  }
}

/** Pure: what the invitation needs. */
export function decideInvitation(facts: {
  readonly held: HeldTrust | undefined;
  readonly present: StoredSecret | undefined;
  readonly uid: string;
  readonly now: Date;
}): 'Joined' | 'Expired' | 'Keep' | 'Foreign' | 'Mint' {
  const { held, present, uid, now } = facts;
  if (held?.trust.peerPin !== undefined) return 'Joined';
  const expires = held?.trust.invitation?.expires;
  if (expires !== undefined && expires * 1000 <= now.getTime()) return 'Expired';
  if (present !== undefined && !isManagedByAgent(present)) return 'Foreign';
  const keeps = held !== undefined && isOfPair(present, uid) && present?.labels[pairIdLabel] === held.trust.pairId;
  return keeps ? 'Keep' : 'Mint';
}

const pairIdLabel = 'stork.libopenstorage.org/pair-id';

const isOfPair = (secret: StoredSecret | undefined, uid: string) => secret?.labels[pairLabel] === uid;

async function mint(
  pair: ClusterPair,
  held: HeldTrust | undefined,
  services: InviteServices,
  signal: AbortSignal,
): Promise<PairProgress> {
  const { client, trusts, pin, now, randomBytes } = services;
  const { name, namespace = '', uid = '' } = pair.metadata;
  const { endpoints = [], ttlSeconds = 3600 } = pair.spec.accept ?? {};
  const { code, record } = mintInvitation({ endpoints, pin, now, ttlSeconds, randomBytes });
  const { pairId, proofKey, expires } = record;
  // First what checks the code, then the code: a crash between the two mints again.
  const written = await trusts.write(
    uid,
    { side: 'Accept', pairId, endpoints: [], invitation: { proofKey, expires } },
    held,
    signal,
  );
  const secret = inviteSecretName(name);
  try {
    const labels = { [pairLabel]: uid, [pairIdLabel]: pairId };
    await createSecret({ client, namespace, name: secret, signal }, { code }, { labels, owner: ownerOf(pair) });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return { at: 'Waiting', code: 'MintContended', message: 'Another replica is minting the code.', retrySeconds: 1 };
  }
  return invited(written, secret);
}

/** The code goes with the ClusterPair, also when no agent is there to delete it. */
const ownerOf = ({ apiVersion, kind, metadata }: ClusterPair) => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
});

function invited(held: HeldTrust | undefined, secret: string): PairProgress {
  if (held === undefined) return failed('InvalidPairTrust', 'The invitation is gone: make the ClusterPair anew.');
  return { at: 'Invited', held, secret, expires: new Date((held.trust.invitation?.expires ?? 0) * 1000) };
}

function expiredMessage(held: HeldTrust | undefined): string {
  const at = new Date((held?.trust.invitation?.expires ?? 0) * 1000).toISOString();
  return `The code expired unused at ${at}: delete the ClusterPair and accept anew.`;
}
