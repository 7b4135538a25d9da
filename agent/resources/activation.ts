/**
 * Starts and stops the applications of a namespace: replicas from and to Stork's annotation, CronJobs' suspend, custom
 * resources by the fields their annotations name. Idempotent, and each object stands alone: a failure is told and the
 * others go on. Starting touches what carries Stork's annotations; stopping touches every workload without an owner,
 * except those annotated skip-resource, and records what it was, so that it can be started again.
 */
import type { RegisteredResource } from '../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient, Resource, ServedResource } from '../../kube/client/client.ts';
import { isConflict, isForbidden, isNotFound, renderError } from '../../kube/errors.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { listServedKinds } from './defined-kinds.ts';
import { endPods } from './end-pods.ts';
import { withField } from './fields.ts';
import { fieldManagers, storkNames } from './names.ts';
import { listRegistrations } from './registrations/list-registrations.ts';
import { findRegistration, stoppingFields } from './registrations/suspend-options.ts';
import { type GroupKind, isBuiltInGroup, isTrue, keyOfRef, refOf, textOfRef } from './resource-ref.ts';
import { type StashParts, unstash } from './stash/unstash.ts';
import { planStart, planStop, type SwitchChange } from './switches.ts';

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
  /** Objects that were as they should be. */
  readonly unchanged: number;
}

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
    unchanged: started.unchanged,
  };
}

/** Registered kinds are stopped by what their registration names, also those that never migrated, and then their pods. */
export async function deactivateNamespace(
  parts: ActivationParts,
  namespace: string,
  signal?: AbortSignal,
): Promise<ActivationResult> {
  const registrations = await listRegistrations(parts.client, signal);
  const plan: Plan = (object) => planStop(object, stoppingFields(findRegistration(object, registrations)));
  return switchNamespace(parts, { namespace, plan, registrations }, signal);
}

const nothing = { messages: [], failures: [] } as const;

/** The kinds of which the namespace has objects that activation may change, and who asks for it must be able to. */
export async function kindsToSwitch(
  client: KubeClient,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly Resource[]> {
  const registrations = await listRegistrations(client, signal);
  const { objects } = await listApplications(client, { namespace, plan: planStop, registrations }, signal);
  return [...new Set(objects.map(({ resource }) => resource))];
}

type Plan = (object: AnyObject) => SwitchChange | undefined;

interface SwitchOrder {
  readonly namespace: string;
  readonly plan: Plan;
  /** Kinds whose objects are switched whether they came by a migration or not. */
  readonly registrations: readonly RegisteredResource[];
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
  const outcomes = await mapLimit(
    found.objects,
    parts.parallelWrites ?? parallelWrites,
    async ({ resource, object }, stop) => {
      const outcome = await switchObject(client, { resource, object, plan: order.plan }, stop);
      if (outcome.failure !== undefined) return outcome;
      const ended = await endPods(client, object, findRegistration(object, order.registrations), stop);
      return { messages: [...(outcome.messages ?? []), ...ended.messages], failure: ended.failure };
    },
    signal,
  );
  return {
    messages: outcomes.flatMap((outcome) => outcome.messages ?? []),
    failures: [...found.failures, ...outcomes.flatMap((outcome) => outcome.failure ?? [])],
    unchanged: outcomes.filter(({ messages = [], failure }) => messages.length === 0 && failure === undefined).length,
  };
}

interface Application {
  readonly resource: Resource;
  readonly object: AnyObject;
}

async function listApplications(client: KubeClient, order: SwitchOrder, signal?: AbortSignal) {
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
        const isOwned = object.metadata.ownerReferences?.some((owner) => owner.controller === true) === true;
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
