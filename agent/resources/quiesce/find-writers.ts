/**
 * What writes certain claims of a namespace: pods that mount them, and workloads that would make such pods; with the
 * highest owner of each, which must be stopped for it to stop. Reads only.
 */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { RegisteredResource } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject, AnyResource, KubeClient, OwnerReference, Resource } from '../../../kube/client/client.ts';
import { core, type Pod } from '../../../kube/client/core.ts';
import { createResourceFinder } from '../apply/find-resource.ts';
import { controllerOf } from '../controller-of.ts';
import { at, numberOf } from '../fields.ts';
import { listRegistrations } from '../registrations/list-registrations.ts';
import { findRegistration, stoppingFields } from '../registrations/suspend-options.ts';
import { groupKindOf, refOf, textOfRef } from '../resource-ref.ts';
import type { StoppingField } from '../switches.ts';
import { readRest } from './rest.ts';
import { isOfTemplate, type PodSpec, writtenClaims } from './written-claims.ts';

export interface Writer {
  /** `pod db/web-1`, or the workload that would make one. */
  readonly what: string;
  readonly claims: readonly string[];
  /** A pod is there already; `Ending`: it was told to end. */
  readonly pod: 'Running' | 'Ending' | 'None';
  /** From the one that made it upwards. */
  readonly owners: readonly Owner[];
  /** `No`: an owner could not be found. */
  readonly complete: 'Yes' | 'No';
}

export interface Owner {
  readonly resource: Resource;
  readonly object: AnyObject;
  /** What stops it; none for a kind that can't be stopped. */
  readonly fields: readonly StoppingField[];
  readonly registration: RegisteredResource | undefined;
}

/** How far up: a pod's Job, its CronJob, a custom resource above, and one more. */
const maxGenerations = 5;

export async function findWriters(
  client: KubeClient,
  of: { readonly namespace: string; readonly claims: ReadonlySet<string> },
  signal?: AbortSignal,
): Promise<readonly Writer[]> {
  const { namespace, claims } = of;
  const climb = await ownerClimber(client, namespace, signal);
  const wanted = (spec: PodSpec | undefined) => writtenClaims(spec).filter((name) => claims.has(name));
  const writers: Writer[] = [];
  for (const pod of await writingPods(client, of, signal)) {
    const { owners, complete } = await climb(pod);
    const ending = pod.metadata.deletionTimestamp !== undefined;
    const what = `pod ${namespace}/${pod.metadata.name}`;
    writers.push({ what, claims: wanted(pod.spec), pod: ending ? 'Ending' : 'Running', owners, complete });
  }
  const template = async (resource: Resource, object: AnyObject, spec: PodSpec | undefined, own: readonly string[]) => {
    const written = [...new Set([...wanted(spec), ...own])];
    // What is stopped for a copy comes back.
    if (written.length === 0 || (isAtRest(object) && readRest(object) === undefined)) return;
    const above = await climb(object);
    const owners = [ownerOf(resource, object, []), ...above.owners];
    writers.push({ what: textOfRef(refOf(object)), claims: written, pod: 'None', owners, complete: above.complete });
  };
  for await (const one of client.list(core.deployments, { namespace, signal }))
    await template(plain(core.deployments), { ...one }, one.spec?.template.spec, []);
  for await (const one of client.list(core.replicaSets, { namespace, signal }))
    await template(plain(core.replicaSets), { ...one }, one.spec?.template?.spec, []);
  for await (const one of client.list(core.cronJobs, { namespace, signal }))
    await template(plain(core.cronJobs), { ...one }, one.spec?.jobTemplate.spec?.template.spec, []);
  for await (const one of client.list(core.statefulSets, { namespace, signal })) {
    const own = [...claims].filter((claim) => isOfTemplate(one, claim));
    await template(plain(core.statefulSets), { ...one }, one.spec?.template.spec, own);
  }
  return writers;
}

/** Pods, ours aside, that have one of the claims and have not ended; also those that are not placed yet. */
export async function writingPods(
  client: KubeClient,
  { namespace, claims }: { readonly namespace: string; readonly claims: ReadonlySet<string> },
  signal?: AbortSignal,
): Promise<readonly Pod[]> {
  const pods: Pod[] = [];
  for await (const pod of client.list(core.pods, { namespace, signal })) {
    const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (ended || isManagedByAgent(pod.metadata)) continue;
    if (writtenClaims(pod.spec).some((name) => claims.has(name))) pods.push(pod);
  }
  return pods;
}

const scaled: ReadonlySet<string> = new Set([
  'apps/Deployment',
  'apps/StatefulSet',
  'apps/ReplicaSet',
  'apps.openshift.io/DeploymentConfig',
]);

function ownerOf(resource: Resource, object: AnyObject, registrations: readonly RegisteredResource[]): Owner {
  const kind = groupKindOf(object);
  const registration = findRegistration(object, registrations);
  const base = { resource, object, registration };
  if (scaled.has(kind)) return { ...base, fields: [{ path: ['spec', 'replicas'], stopping: 0 }] };
  if (kind === 'batch/CronJob') return { ...base, fields: [{ path: ['spec', 'suspend'], stopping: true }] };
  return { ...base, fields: stoppingFields(registration) };
}

/** Makes no pods now. */
function isAtRest(object: AnyObject): boolean {
  if (object.metadata.deletionTimestamp !== undefined) return true;
  return numberOf(at(object, ['spec', 'replicas'])) === 0 || at(object, ['spec', 'suspend']) === true;
}

type Climb = (from: Pick<AnyObject, 'metadata'>) => Promise<Pick<Writer, 'owners' | 'complete'>>;

async function ownerClimber(client: KubeClient, namespace: string, signal?: AbortSignal): Promise<Climb> {
  const registrations = await listRegistrations(client, signal);
  const finder = createResourceFinder(client);
  const seen = new Map<string, Promise<Owner | undefined>>();
  const look = async (reference: OwnerReference): Promise<Owner | undefined> => {
    const { apiVersion, kind, name } = reference;
    const wanted = await finder.find({ apiVersion, kind, metadata: { name } }, signal);
    if (wanted.found === 'No') return undefined;
    const { resource } = wanted;
    const object = await client.find<AnyObject>(resource, { namespace, name }, { signal });
    return object?.metadata.uid === reference.uid ? ownerOf(resource, object, registrations) : undefined;
  };
  return async (from) => {
    const owners: Owner[] = [];
    let reference = controllerOf(from);
    while (reference !== undefined && owners.length < maxGenerations) {
      const found = seen.get(reference.uid) ?? look(reference);
      seen.set(reference.uid, found);
      const owner = await found;
      if (owner === undefined) return { owners, complete: 'No' };
      owners.push(owner);
      reference = controllerOf(owner.object);
    }
    return { owners, complete: reference === undefined ? 'Yes' : 'No' };
  };
}

/** As of any kind. */
const plain = ({ group, version, plural, kind, namespaced }: AnyResource): Resource => ({
  ...{ group, version, plural, kind, namespaced },
});
