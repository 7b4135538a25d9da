/**
 * Starts and stops the applications of a namespace: replicas from and to Stork's annotation, CronJobs' suspend, custom
 * resources by the fields their annotations name. Idempotent, and each object stands alone: a failure is told and the
 * others go on. Starting touches what carries Stork's annotations. Stopping touches workloads without an owner that came by
 * a migration or carry those annotations, and others only when told to; never those annotated skip-resource. It records what
 * each was, so that it can be started again.
 */
import type { RegisteredResource } from '../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient, Resource, ServedResource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { isConflict, isForbidden, isNotFound, renderError } from '../../kube/errors.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { losesClaimsScaled, whyUnguarded, whyUnguardedBelow } from './claim-guard.ts';
import { controllerOf } from './controller-of.ts';
import { listServedKinds } from './defined-kinds.ts';
import { endPods } from './end-pods.ts';
import { withField } from './fields.ts';
import { fieldManagers, storkNames } from './names.ts';
import { listRegistrations } from './registrations/list-registrations.ts';
import { findRegistration, stoppingFields } from './registrations/suspend-options.ts';
import { type GroupKind, isBuiltInGroup, isTrue, keyOfRef, refOf, textOfRef } from './resource-ref.ts';
import { type StashParts, unstash } from './stash/unstash.ts';
import { planStart, planStop, readSwitches, type SwitchChange } from './switches.ts';

export interface ActivationParts {
  /** The agent's, or one that impersonates the grant's ServiceAccount. */
  readonly client: KubeClient;
  readonly parallelWrites?: number | undefined;
  /** Custom resources that travelled in ConfigMaps are made on activation; without it they stay there. */
  readonly stash?: StashParts | undefined;
  /** Keys (keyOfRef) of what may be started; absent: everything. */
  readonly only?: ReadonlySet<string> | undefined;
}

export interface ActivationResult {
  /** One line for each object that was changed, in Stork's words. */
  readonly messages: readonly string[];
  /** One sentence for each object or kind that could not be changed. */
  readonly failures: readonly string[];
  /** One sentence for each workload that runs on because it did not come by a migration. */
  readonly skipped: readonly string[];
  /** Objects that were as they should be. */
  readonly unchanged: number;
}

/** `Leave`: only what came by a migration is stopped, and what was stopped by us before. */
export type Originals = 'Leave' | 'Stop';

export async function activateNamespace(
  parts: ActivationParts,
  namespace: string,
  signal?: AbortSignal,
): Promise<ActivationResult> {
  const { client, stash, only } = parts;
  const made = stash === undefined ? nothing : await unstash(client, namespace, { ...stash, only }, signal);
  const plan: Plan = (object) => (only?.has(keyOfRef(refOf(object))) === false ? undefined : planStart(object));
  const started = await switchNamespace(parts, { namespace, plan, registrations: [] }, signal);
  return {
    messages: [...made.messages, ...started.messages],
    failures: [...made.failures, ...started.failures],
    skipped: [],
    unchanged: started.unchanged,
  };
}

/**
 * Registered kinds are stopped by what their registration names, and then their pods. Where nothing came by a migration
 * nothing is stopped: it may well be the wrong cluster.
 */
export async function deactivateNamespace(
  parts: ActivationParts,
  { namespace, originals }: { readonly namespace: string; readonly originals: Originals },
  signal?: AbortSignal,
): Promise<ActivationResult> {
  const registrations = await listRegistrations(parts.client, signal);
  const plan: Plan = (object) => planStop(object, stoppingFields(findRegistration(object, registrations)));
  const owners = await ownersThatLoseClaims(parts.client, namespace, signal);
  const whyNot = (object: AnyObject): string | undefined =>
    whyUnguarded(object) ?? owners.get(object.metadata.uid ?? '')?.(object);
  const leaves = (object: AnyObject): boolean => originals === 'Leave' && !cameByMigration(object);
  return switchNamespace(parts, { namespace, plan, registrations, leaves, whyNot }, signal);
}

/** Or was stopped by us before. */
const cameByMigration = (object: AnyObject): boolean =>
  readSwitches(object).length > 0 ||
  object.metadata.labels?.[storkNames.migrated] === 'true' ||
  object.metadata.annotations?.[storkNames.migrationPair] !== undefined;

/** By uid of what makes a StatefulSet that deletes its claims: why it must not be told to stop. */
async function ownersThatLoseClaims(client: KubeClient, namespace: string, signal?: AbortSignal) {
  const owners = new Map<string, (above: AnyObject) => string | undefined>();
  for await (const one of client.list(core.statefulSets, { namespace, signal })) {
    const object: AnyObject = { ...one };
    const owner = controllerOf(one);
    if (owner !== undefined && losesClaimsScaled(object))
      owners.set(owner.uid, (above) => whyUnguardedBelow(object, above));
  }
  return owners;
}

const nothing = { messages: [], failures: [] } as const;

/** The kinds of which the namespace has objects that activation may change, and who asks for it must be able to. */
export async function kindsToSwitch(
  client: KubeClient,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly Resource[]> {
  const registrations = await listRegistrations(client, signal);
  const { objects } = await listApplications(client, { namespace, registrations }, signal);
  return [...new Set(objects.map(({ resource }) => resource))];
}

type Plan = (object: AnyObject) => SwitchChange | undefined;

interface SwitchOrder {
  readonly namespace: string;
  readonly plan: Plan;
  /** Kinds whose objects are switched whether they came by a migration or not. */
  readonly registrations: readonly RegisteredResource[];
  /** Whether it is left as it is. */
  readonly leaves?: (object: AnyObject) => boolean;
  /** Why it must not be switched. */
  readonly whyNot?: (object: AnyObject) => string | undefined;
}

const parallelWrites = 8;
const writeAttempts = 4;

async function switchNamespace(
  parts: ActivationParts,
  order: SwitchOrder,
  signal?: AbortSignal,
): Promise<ActivationResult> {
  const { client } = parts;
  const found = await listApplications(client, order, signal);
  const ours = found.objects.filter(({ object }) => order.leaves?.(object) !== true);
  const skipped = found.objects.filter(
    ({ object }) => order.leaves?.(object) === true && order.plan(object) !== undefined,
  );
  const outcomes = await mapLimit(
    ours,
    parts.parallelWrites ?? parallelWrites,
    (application, stop) => switchApplication(client, order, application, stop),
    signal,
  );
  return {
    messages: outcomes.flatMap((outcome) => outcome.messages ?? []),
    failures: [...found.failures, ...outcomes.flatMap((outcome) => outcome.failure ?? [])],
    skipped: skipped.map(({ object }) => `Skipped ${textOfRef(refOf(object))}: it did not come by a migration`),
    unchanged: outcomes.filter(({ messages = [], failure }) => messages.length === 0 && failure === undefined).length,
  };
}

async function switchApplication(
  client: KubeClient,
  order: SwitchOrder,
  { resource, object }: Application,
  signal: AbortSignal,
): Promise<{ readonly messages?: readonly string[]; readonly failure?: string | undefined }> {
  const failure = order.plan(object) === undefined ? undefined : order.whyNot?.(object);
  if (failure !== undefined) return { failure };
  const outcome = await switchObject(client, { resource, object, plan: order.plan }, signal);
  if (outcome.failure !== undefined) return outcome;
  const ended = await endPods(client, object, findRegistration(object, order.registrations), signal);
  return { messages: [...(outcome.messages ?? []), ...ended.messages], failure: ended.failure };
}

interface Application {
  readonly resource: Resource;
  readonly object: AnyObject;
}

async function listApplications(
  client: KubeClient,
  order: Pick<SwitchOrder, 'namespace' | 'registrations'>,
  signal?: AbortSignal,
) {
  const { namespace } = order;
  const registered = new Set(
    order.registrations.filter((one) => stoppingFields(one).length > 0).map(({ group, kind }) => `${group}/${kind}`),
  );
  const objects: Application[] = [];
  const failures: string[] = [];
  for (const resource of await listSwitchableKinds(client, signal)) {
    const kind = `${resource.group}/${resource.kind}`;
    const isWorkload = workloadKinds.has(kind);
    // Custom resources that came by a migration carry the label; others without a registration are none of our business.
    const labelSelector = isWorkload || registered.has(kind) ? undefined : `${storkNames.migrated}=true`;
    try {
      for await (const object of client.list<AnyObject>(resource, { namespace, labelSelector, signal })) {
        const isOwned = controllerOf(object) !== undefined;
        if (!isOwned && !isTrue(object, storkNames.skipResource)) objects.push({ resource, object });
      }
    } catch (error) {
      if (!isForbidden(error)) throw error;
      if (isWorkload) failures.push(`${resource.plural} in ${namespace} may not be listed`);
    }
  }
  return { objects, failures };
}

/** Carries out one plan on one object; a lost race is planned again. */
export async function switchObject(
  client: KubeClient,
  job: Application & { readonly plan: Plan },
  signal?: AbortSignal,
): Promise<{ readonly messages?: readonly string[]; readonly failure?: string }> {
  const { resource, plan } = job;
  const { namespace, name } = job.object.metadata;
  let object: AnyObject | undefined = job.object;
  for (let attempt = 1; object !== undefined; attempt += 1) {
    const change = plan(object);
    if (change === undefined) return {};
    const body = withField(change.patch, ['metadata', 'resourceVersion'], object.metadata.resourceVersion);
    try {
      const options = { fieldManager: fieldManagers.activation, signal };
      await client.patch(resource, { namespace, name }, { type: 'merge', body }, options);
      return { messages: change.texts.map((text) => messageOf(job.object, text)) };
    } catch (error) {
      signal?.throwIfAborted();
      if (isNotFound(error)) return {};
      if (!isConflict(error) || attempt === writeAttempts) {
        return { failure: `${textOfRef(refOf(job.object))}: ${renderError(error)}` };
      }
      object = await client.find(resource, { namespace, name }, { signal });
    }
  }
  return {};
}

/** Stork's sentences. */
function messageOf(object: AnyObject, change: string): string {
  const { namespace, name } = object.metadata;
  const [field, value] = change.split(' to ');
  const what = field === 'suspend' ? 'suspend option' : field;
  return `Updated ${what} for ${object.kind.toLowerCase()} ${namespace}/${name} to ${value}`;
}

const workloadKinds: ReadonlySet<GroupKind> = new Set([
  'apps.openshift.io/DeploymentConfig',
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/StatefulSet',
  'batch/CronJob',
]);

async function listSwitchableKinds(client: KubeClient, signal?: AbortSignal): Promise<readonly Resource[]> {
  const chosen = new Map<GroupKind, ServedResource>();
  for (const resource of await listServedKinds(client, signal)) {
    const kind = `${resource.group}/${resource.kind}`;
    const isUsable = resource.namespaced && resource.verbs.includes('list') && resource.verbs.includes('patch');
    if (!isUsable || resource.plural.includes('/')) continue;
    // Besides the workloads nothing of the API server's own has a switch.
    if (isBuiltInGroup(resource.group) && !workloadKinds.has(kind)) continue;
    if (chosen.get(kind)?.preferred !== true) chosen.set(kind, resource);
  }
  return [...chosen.values()];
}
