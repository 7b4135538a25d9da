/**
 * The joining side up to the acceptor's yes: reads the code an admin left in a Secret beside the ClusterPair, presents it,
 * keeps the acceptor's key, then deletes the Secret. Every step can be repeated: the same key may use a code again until it
 * expires, so a crash in between costs nothing. A code that was refused for good is not presented a second time.
 */
import { createHash } from 'node:crypto';
import { agentName } from '../../crds/agent-names.ts';
import { type ClusterPair, clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { isAlreadyExists, isConflict, StorkError } from '../../kube/errors.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { fingerprintOf, type Invitation, parseCode } from '../peer/invitation.ts';
import type { PeerService } from '../peer/peer-service.ts';
import { findSecret } from '../peer/secret-store.ts';
import type { KnownPairs } from './known-pairs.ts';
import { failed, type PairProgress } from './pair-progress.ts';
import type { TrustStore } from './trust.ts';

export interface JoinServices {
  readonly client: KubeClient;
  readonly trusts: TrustStore;
  readonly service: Pick<PeerService, 'join' | 'identity'>;
  readonly known: Pick<KnownPairs, 'keyOf' | 'uidOf'>;
  readonly agentNamespace: string;
  /** Codes refused for good, by the ClusterPair's uid; lives as long as the agent. */
  readonly refusedCodes: Map<string, RefusedCode>;
}

export interface RefusedCode {
  /** SHA-256 of the code's text. */
  readonly digest: string;
  readonly code: string;
  readonly message: string;
}

/** Without a watch on people's Secrets, a missing one is looked for again after this. */
const missingRetrySeconds = 5;
const unreachableRetrySeconds = 2;

export async function ensureJoined(
  pair: ClusterPair,
  services: JoinServices,
  signal: AbortSignal,
): Promise<PairProgress> {
  const { client, trusts, refusedCodes } = services;
  const { namespace = '', uid = '' } = pair.metadata;
  const name = pair.spec.join?.codeSecret ?? '';
  const held = await trusts.find(uid, signal);
  const secret = await findSecret({ client, namespace, name, signal });
  if (held?.trust.peerPin !== undefined) {
    if (secret !== undefined && codeIsOf(secret.fields.code, held.trust.pairId))
      await forgetCode(services, pair, signal);
    return { at: 'Joined', held };
  }
  const text = secret?.fields.code;
  const former = findCondition(pair.status?.conditions, 'Joined');
  if (text === undefined && former?.status === 'False') return failed(former.reason, former.message);
  if (text === undefined) {
    const message = `Secret ${namespace}/${name} with the key "code" does not exist.`;
    return { at: 'Waiting', code: 'CodeSecretMissing', message, retrySeconds: missingRetrySeconds };
  }
  const digest = createHash('sha256').update(text).digest('hex');
  const refused = refusedCodes.get(uid);
  if (refused?.digest === digest) return failed(refused.code, refused.message);
  try {
    const invitation = parseCode(text);
    await bindCode(pair, services, signal);
    const progress = await joinInvitation(pair, invitation, services, signal);
    if (progress.at === 'Joined') await forgetCode(services, pair, signal);
    return progress;
  } catch (error) {
    signal.throwIfAborted();
    // A conflict is no refusal of the code: `pair join` writes its Secret's owner at the same time.
    if (!(error instanceof StorkError) || isConflict(error)) throw error;
    const { code, message, hint, retryable } = error;
    const told = hint === undefined ? message : `${message.replace(/\.$/, '')}. ${hint}`;
    if (retryable) return { at: 'Waiting', code, message: told, retrySeconds: unreachableRetrySeconds };
    refusedCodes.set(uid, { digest, code, message: told });
    if (worthless.has(code)) await forgetCode(services, pair, signal);
    return failed(code, told);
  }
}

/** Refusals after which nobody can use the code any more. */
const worthless: ReadonlySet<string> = new Set(['CodeExpired', 'CodeUsed', 'UnknownCode']);

/** Presents the code and keeps the acceptor's key. @throws StorkError the acceptor's refusal, or why it wasn't reached */
export async function joinInvitation(
  pair: ClusterPair,
  invitation: Invitation,
  services: Omit<JoinServices, 'agentNamespace' | 'client' | 'refusedCodes'>,
  signal: AbortSignal,
): Promise<PairProgress> {
  const { trusts, service } = services;
  const { uid = '' } = pair.metadata;
  // A code of our own is refused by `join`, with a better reason.
  if (invitation.pin !== service.identity.pin) refuseUsedHere(invitation.pairId, uid, services);
  const { acceptor, endpoint, pin: peerPin } = await service.join(invitation, signal, pair.spec.join?.endpoints);
  const others = invitation.endpoints.filter((other) => other !== endpoint);
  const { pairId } = invitation;
  try {
    const trust = { side: 'Join', pairId, peerPin, endpoints: [endpoint, ...others], ...acceptor } as const;
    return { at: 'Joined', held: await trusts.write(uid, trust, undefined, signal) };
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const message = `Another replica joined ${fingerprintOf(peerPin)} at the same time.`;
    return { at: 'Waiting', code: 'JoinContended', message, retrySeconds: 1 };
  }
}

/** The acceptor lets one key use a code again, for the answer may have been lost; that is no second pair. */
function refuseUsedHere(pairId: string, uid: string, { known }: Pick<JoinServices, 'known'>): void {
  const owner = known.uidOf(pairId);
  if (owner === undefined || owner === uid) return;
  throw new StorkError({
    code: 'CodeUsed',
    message: `The code was used already, for ClusterPair ${known.keyOf(owner) ?? owner} of this cluster`,
    hint: 'A code joins once: run `kubectl stork pair accept` on the other cluster for another one.',
  });
}

/**
 * A code that was not used goes with its ClusterPair. Elsewhere than here the agent may not change Secrets: there only what
 * `kubectl stork pair join` made goes.
 */
async function bindCode(pair: ClusterPair, { client, agentNamespace }: JoinServices, signal: AbortSignal) {
  const { name, namespace = '', uid = '' } = pair.metadata;
  if (namespace !== agentNamespace) return;
  const key = { namespace, name: pair.spec.join?.codeSecret ?? '' };
  const secret = await client.find(core.secrets, key, { signal });
  const owners = secret?.metadata.ownerReferences ?? [];
  if (secret === undefined || owners.some((owner) => owner.uid === uid)) return;
  const { apiVersion, kind } = clusterPairs;
  const { resourceVersion } = secret.metadata;
  const metadata = { resourceVersion, ownerReferences: [...owners, { apiVersion, kind, name, uid }] };
  await client.patch(core.secrets, key, { type: 'merge', body: { metadata } }, { signal, fieldManager: agentName });
}

/** The admin made this Secret for us to use once, so we delete it although we didn't make it. */
async function forgetCode({ client }: JoinServices, pair: ClusterPair, signal: AbortSignal): Promise<void> {
  const { namespace = '' } = pair.metadata;
  await client.delete(core.secrets, { namespace, name: pair.spec.join?.codeSecret ?? '' }, { signal });
}

/** Only the Secret that holds the code we used is ours to delete, not whatever `codeSecret` names later. */
function codeIsOf(text: string | undefined, pairId: string): boolean {
  if (text === undefined) return false;
  try {
    return parseCode(text).pairId === pairId;
  } catch {
    // Not a code at all: none of our business.
    return false;
  }
}
