/**
 * The steps of pairing, as docs/design/0001 has them: invite on one cluster, join on the other, confirm on the first.
 * The code travels through Secrets of the two clusters and the caller's memory only.
 */
import { agentName, agentNamespace, managedByLabel } from '../../crds/agent-names.ts';
import { applyDefaults } from '../../crds/schema/index.ts';
import {
  type ClusterPair,
  type ClusterPairGrant,
  type ClusterPairSpecInput,
  clusterPairs,
} from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { isAlreadyExists, isForbidden, isNotFound, StorkError } from '../../kube/errors.ts';
import type { CommandContext } from '../command.ts';
import { planPairSecretsBinding } from '../install/plan-roles.ts';
import type { PairPlace } from './pair-place.ts';
import { waitForPair } from './wait-for-pair.ts';

const fieldManager = 'kubectl-stork';

export interface InviteRequest {
  readonly endpoints: readonly string[];
  readonly ttlSeconds: number;
  readonly grant: ClusterPairGrant;
  readonly platformOptions?: ClusterPairSpecInput['platformOptions'];
  readonly timeoutMs: number;
}

/** Resolves to the one-time code; without one, no pair is left behind. @throws StorkError `AlreadyPaired`, or as waitForPair does */
export async function invite(context: CommandContext, place: PairPlace, request: InviteRequest): Promise<string> {
  const { endpoints, ttlSeconds, grant, platformOptions, timeoutMs } = request;
  const uid = await createPair(context, place, { accept: { endpoints, ttlSeconds }, grant, platformOptions });
  const secret = { namespace: place.namespace, name: `stork-invite-${place.name}` };
  try {
    return await waitForPair(context, place, {
      waitsFor: 'the invitation',
      condition: 'Invited',
      timeoutMs,
      reached: async () => {
        const found = await place.client.find(core.secrets, secret, { signal: context.signal });
        const code = found?.data?.code;
        return code === undefined ? undefined : Buffer.from(code, 'base64').toString('utf8').trim();
      },
    });
  } catch (error) {
    await place.client.delete(clusterPairs, place, { uid });
    throw error;
  }
}

export interface JoinRequest {
  readonly code: string;
  /** Where the other cluster can dial this one, if anywhere. */
  readonly endpoints: readonly string[];
  readonly grant: ClusterPairGrant;
  readonly platformOptions?: ClusterPairSpecInput['platformOptions'];
  readonly timeoutMs: number;
}

/** Resolves to this cluster's fingerprint, once the other side knows it. A refusal leaves nothing behind. */
export async function join(context: CommandContext, place: PairPlace, request: JoinRequest): Promise<string> {
  const { code, endpoints, grant, platformOptions, timeoutMs } = request;
  const codeSecret = `stork-join-${place.name}`;
  await refuseExisting(context, place);
  await putCode(context, place, codeSecret, code);
  let uid: string | undefined;
  try {
    uid = await createPair(context, place, {
      join: { codeSecret, ...(endpoints.length === 0 ? {} : { endpoints }) },
      grant,
      platformOptions,
    });
    await bindCode(context, place, { uid, codeSecret });
    return await waitForPair(context, place, {
      waitsFor: 'the answer of the other cluster',
      condition: 'Joined',
      timeoutMs,
      reached: (pair) => (isTrue(pair, 'Joined') ? pair.status?.ownFingerprint : undefined),
    });
  } catch (error) {
    await forget(place, { uid, codeSecret });
    throw error;
  }
}

/**
 * Writes the accepting admin's yes to `pair`'s fingerprint. Idempotent.
 * @throws ApiError `Invalid` when another key has joined since it was read
 */
export async function confirm(context: CommandContext, place: PairPlace, pair: ClusterPair): Promise<void> {
  const value = pair.status?.peer?.fingerprint;
  const body = [
    { op: 'test', path: '/status/peer/fingerprint', value },
    { op: 'add', path: '/spec/confirmedFingerprint', value },
  ] as const;
  const { client, namespace, name } = place;
  await client.patch(
    clusterPairs,
    { namespace, name },
    { type: 'json', body },
    { fieldManager, signal: context.signal },
  );
}

/** Resolves to the pair with the joiner's fingerprint in its status. */
export function waitForJoiner(context: CommandContext, place: PairPlace, timeoutMs: number): Promise<ClusterPair> {
  return waitForPair(context, place, {
    waitsFor: 'the joining cluster',
    condition: 'Joined',
    timeoutMs,
    reached: (pair) => (pair.status?.peer?.fingerprint === undefined ? undefined : pair),
  });
}

export function waitUntilReady(context: CommandContext, place: PairPlace, timeoutMs: number): Promise<ClusterPair> {
  return waitForPair(context, place, {
    waitsFor: 'readiness',
    condition: 'Ready',
    timeoutMs,
    reached: (pair) => (isTrue(pair, 'Ready') ? pair : undefined),
  });
}

function isTrue(pair: ClusterPair, type: string): boolean {
  return pair.status?.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
}

async function createPair(
  context: CommandContext,
  place: PairPlace,
  spec: ClusterPairSpecInput,
): Promise<string | undefined> {
  const { client, namespace, name } = place;
  if (namespace !== agentNamespace) await allowSecrets(context, place);
  const { apiVersion, kind, schema } = clusterPairs;
  const object = applyDefaults(schema, { apiVersion, kind, metadata: { name, namespace }, spec });
  try {
    const made = await client.create(clusterPairs, object, { fieldManager, signal: context.signal });
    return made.metadata.uid;
  } catch (error) {
    throw isAlreadyExists(error) ? alreadyPaired(place) : error;
  }
}

/** The agent may write Secrets in its own namespace only; for a pair elsewhere its admin, who runs this, lets it. */
async function allowSecrets(context: CommandContext, { client, namespace }: PairPlace): Promise<void> {
  const binding = planPairSecretsBinding(namespace);
  await client.apply(core.roleBindings, binding, { fieldManager, signal: context.signal });
}

async function refuseExisting(context: CommandContext, place: PairPlace): Promise<void> {
  const { client, namespace, name } = place;
  if ((await client.find(clusterPairs, { namespace, name }, { signal: context.signal })) !== undefined)
    throw alreadyPaired(place);
}

/** A Secret of an earlier try that never became a pair is replaced. */
async function putCode(context: CommandContext, place: PairPlace, name: string, code: string): Promise<void> {
  const { client, namespace } = place;
  await client.delete(core.secrets, { namespace, name }, { signal: context.signal });
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels: { [managedByLabel]: agentName } },
    type: 'Opaque',
    data: { code: Buffer.from(code, 'utf8').toString('base64') },
  };
  await client.create(core.secrets, secret, { fieldManager, signal: context.signal });
}

/**
 * A code that was not used goes with its ClusterPair. The agent may have used and deleted it already; and who may make
 * Secrets need not be able to change them.
 */
async function bindCode(
  context: CommandContext,
  { client, namespace, name }: PairPlace,
  { uid = '', codeSecret }: { readonly uid: string | undefined; readonly codeSecret: string },
): Promise<void> {
  const { apiVersion, kind } = clusterPairs;
  const body = { metadata: { ownerReferences: [{ apiVersion, kind, name, uid }] } };
  const options = { fieldManager, signal: context.signal };
  try {
    await client.patch(core.secrets, { namespace, name: codeSecret }, { type: 'merge', body }, options);
  } catch (error) {
    if (!isNotFound(error) && !isForbidden(error)) throw error;
  }
}

/** Only what this join made. Also when interrupted, so without the command's signal. */
async function forget(
  { client, namespace, name }: PairPlace,
  { uid, codeSecret }: { readonly uid: string | undefined; readonly codeSecret: string },
): Promise<void> {
  if (uid !== undefined) await client.delete(clusterPairs, { namespace, name }, { uid });
  await client.delete(core.secrets, { namespace, name: codeSecret });
}

function alreadyPaired({ context, namespace, name }: PairPlace): StorkError {
  return new StorkError({
    code: 'AlreadyPaired',
    message: `there is a ClusterPair ${namespace}/${name} on ${context} already`,
    hint: `Choose another name, or end it with: kubectl stork pair revoke ${name} -n ${namespace} --context ${context}`,
  });
}
