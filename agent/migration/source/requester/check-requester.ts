/**
 * Holds a migration to the rights of whoever asked for it: before its first effect, and again in each stage that acts, so
 * that rights which were withdrawn end it. Thrown refusals are final.
 */
import type { Migration } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import { core } from '../../../../kube/client/core.ts';
import { StorkError } from '../../../../kube/errors.ts';
import { type AccessQuestion, describeQuestion, everything } from '../../../requester/access-question.ts';
import type { Requester } from '../../../requester/requester.ts';
import { createResourceFinder } from '../../../resources/apply/find-resource.ts';
import { enforcedLevel, whyPrivileged } from '../../../resources/pod-security.ts';
import { podSpecOf } from '../../../resources/pod-spec.ts';
import { isStash, readStash } from '../../../resources/stash/stash-object.ts';
import { maxRequesterLength } from '../../messages.ts';
import type { ResourceResult } from '../resource-results.ts';
import type { SourceServices } from '../source-services.ts';
import { accessPolicyGroup, describeLeftOut, describePrivileged } from './left-out.ts';
import { planAccess, planReading, relabel, type TravellingKind } from './plan-access.ts';

/** @throws StorkError `RequesterUnknown`, `RequesterMayNot`, `NamespaceNotAllowed` */
export async function checkRequester(
  services: SourceServices,
  migration: Migration,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { spec } = migration;
  const requester = await services.access.requesterOf(migration, signal);
  refuseForeign(services, migration, namespaces);
  const questions = planAccess({
    pairs: await pairsOf(services, migration, signal),
    namespaces,
    volumes: spec.includeVolumes ? 'Travel' : 'Stay',
    rules: [spec.preExecRule, spec.postExecRule].some((rule) => (rule ?? '') !== '') ? 'Run' : 'None',
  });
  await services.access.require(requester, questions, signal);
}

/**
 * What would travel, and may not be read by whoever asked, refuses the migration before anything is changed. Who may do
 * everything is not kept waiting for the collection.
 * @throws StorkError `RequesterUnknown`, `RequesterMayNot`
 */
export async function checkReading(
  services: SourceServices,
  migration: Migration,
  context: { readonly namespaces: readonly string[]; readonly pairId: string },
  signal: AbortSignal,
): Promise<void> {
  if (!migration.spec.includeResources) return;
  const requester = await services.access.requesterOf(migration, signal);
  if (await services.access.may(requester, everything(), signal)) return;
  const { waves } = await services.collect(migration, context, signal);
  await checkTravelling(services, migration, waves, signal);
}

/**
 * The same for what was collected and is about to be sent. Who may do what in a namespace is not its editors' business, and
 * pods that Pod Security keeps out of it are not theirs to run elsewhere: such objects don't refuse the migration, they are
 * left out.
 */
export async function checkTravelling(
  services: SourceServices,
  migration: Migration,
  waves: readonly (readonly AnyObject[])[],
  signal: AbortSignal,
): Promise<Travelling> {
  const { access } = services;
  const requester = await access.requesterOf(migration, signal);
  const finder = createResourceFinder(services.client);
  const travelling: (TravellingKind & { readonly object: AnyObject })[] = [];
  for (const object of waves.flat()) {
    // What travels inside a ConfigMap is still what it is.
    const read = (isStash(object) ? readStash(object) : undefined) ?? object;
    const found = await finder.find(read, signal);
    if (found.found === 'No') throw notServed(read);
    const { namespace, name } = read.metadata;
    travelling.push({ resource: found.resource, namespace, name, object });
  }
  const isPolicy = ({ resource }: TravellingKind) => resource.group === accessPolicyGroup;
  const readable = travelling.filter((one) => !isPolicy(one));
  await access.require(requester, planReading(readable), signal);
  const policies = travelling.filter(isPolicy);
  const denied = await deniedOf(access, { requester, questions: planReading(policies) }, signal);
  const out = policies.filter((one) => planReading([one]).some((question) => denied.has(describeQuestion(question))));
  const privileged = await findPrivileged(services, { requester, objects: travelling }, signal);
  const left = new Set(out.map(({ object }) => object));
  const isLeft = (object: AnyObject) => left.has(object) || privileged.has(object);
  return {
    requester: requester.username.slice(0, maxRequesterLength),
    waves: waves.map((wave) => wave.filter((object) => !isLeft(object))),
    leftOut: [
      ...[...left].map((object) => describeLeftOut(object, requester.username)),
      ...[...privileged].map(([object, why]) => describePrivileged(object, why, requester.username)),
    ],
  };
}

/** Workloads with pods that Pod Security does not admit here, and the requester could not let it: with the reason. */
async function findPrivileged(
  { client, access }: SourceServices,
  of: { readonly requester: Requester; readonly objects: readonly (TravellingKind & { readonly object: AnyObject })[] },
  signal: AbortSignal,
): Promise<ReadonlyMap<AnyObject, string>> {
  const found = of.objects.flatMap(({ object, namespace }) => {
    const pod = podSpecOf((isStash(object) ? readStash(object) : undefined) ?? object);
    const why = pod === undefined || namespace === undefined ? undefined : whyPrivileged(pod);
    return why === undefined || namespace === undefined ? [] : [{ object, namespace, why }];
  });
  const refused = new Set<string>();
  for (const name of new Set(found.map(({ namespace }) => namespace))) {
    const live = await client.find(core.namespaces, { name }, { signal });
    if (live === undefined || enforcedLevel(live) === undefined) continue;
    if (!(await access.may(of.requester, relabel(name), signal))) refused.add(name);
  }
  return new Map(found.filter(({ namespace }) => refused.has(namespace)).map(({ object, why }) => [object, why]));
}

export interface Travelling {
  /** Who asked, as the destination is told. */
  readonly requester: string;
  readonly waves: readonly (readonly AnyObject[])[];
  readonly leftOut: readonly ResourceResult[];
}

/** Descriptions of the questions that were answered with no. */
async function deniedOf(
  access: SourceServices['access'],
  asked: { readonly requester: Requester; readonly questions: readonly AccessQuestion[] },
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { requester, questions } = asked;
  const denied = new Set<string>();
  if (questions.length === 0 || (await access.may(requester, everything(), signal))) return denied;
  for (const [text, question] of new Map(questions.map((one) => [describeQuestion(one), one])))
    if (!(await access.may(requester, question, signal))) denied.add(text);
  return denied;
}

const notServed = (object: AnyObject): StorkError =>
  new StorkError({
    code: 'KindNotServed',
    message: `${object.apiVersion} ${object.kind} is not served any more on the source`,
    about: `${object.kind} ${object.metadata.name}`,
    retryable: true,
  });

/** Labels decide anew at each stage which namespaces are meant, and anybody may have labelled theirs meanwhile. */
function refuseForeign({ agentNamespace }: SourceServices, migration: Migration, namespaces: readonly string[]): void {
  const { namespace: own = '', name } = migration.metadata;
  const foreign = own === agentNamespace ? [] : namespaces.filter((namespace) => namespace !== own);
  if (foreign.length === 0) return;
  throw new StorkError({
    code: 'NamespaceNotAllowed',
    message: `A Migration in namespace ${own} can only migrate that namespace, not ${foreign.slice(0, 10).join(', ')}`,
    about: `migration ${own}/${name}`,
    hint: `Create it in ${agentNamespace} to migrate several namespaces.`,
  });
}

async function pairsOf(services: SourceServices, migration: Migration, signal: AbortSignal) {
  const { spec, metadata } = migration;
  const found: string[] = [];
  for (const name of [spec.clusterPair, spec.adminClusterPair ?? '']) {
    const peer = name === '' ? undefined : await services.peers.find(metadata.namespace ?? '', name, signal);
    if (peer !== undefined) found.push(peer.pair);
  }
  return found;
}
