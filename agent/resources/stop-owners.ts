/**
 * Stops the workloads that certain pods belong to, and nothing else of the namespace: who must let go of a volume before
 * it is overwritten. Records the counts, so that activation brings them back. Idempotent.
 */
import type { AnyObject, KubeClient, KubeObject, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { isForbidden } from '../../kube/errors.ts';
import { switchObject } from './activation.ts';
import { createResourceFinder, type ResourceFinder } from './apply/find-resource.ts';
import { whyUnguarded } from './claim-guard.ts';
import { controllerOf } from './controller-of.ts';
import { planStop } from './switches.ts';

export interface StoppedOwners {
  /** Stork's sentences, one for each workload that was stopped. */
  readonly messages: readonly string[];
  /** Pods that nothing we can scale stands behind, and workloads that refused, one sentence each. */
  readonly failures: readonly string[];
}

/** How far up: a pod's ReplicaSet, its Deployment, the custom resource above it. */
const maxGenerations = 5;

export async function stopOwners(
  client: KubeClient,
  pods: { readonly namespace: string; readonly names: readonly string[] },
  signal?: AbortSignal,
): Promise<StoppedOwners> {
  const { namespace } = pods;
  const finder = createResourceFinder(client);
  const stopped = new Set<string>();
  const messages: string[] = [];
  const failures: string[] = [];
  for (const name of pods.names) {
    const pod = await client.find(core.pods, { namespace, name }, { signal });
    if (pod === undefined) continue;
    const owner = await findTopOwner(client, finder, pod, signal);
    const what = `pod ${namespace}/${name}`;
    if (owner === undefined) {
      const { kind, name: above } = controllerOf(pod) ?? {};
      const whose = kind === undefined ? 'no workload' : `${kind.toLowerCase()} ${above}, which can't be read`;
      failures.push(`${what} belongs to ${whose}; ${kind === undefined ? 'delete it' : 'stop that'} yourself`);
      continue;
    }
    if (stopped.has(owner.object.metadata.uid ?? '')) continue;
    stopped.add(owner.object.metadata.uid ?? '');
    const { kind } = owner.object;
    if (!scalable.has(kind)) {
      failures.push(
        `${what} belongs to ${kind.toLowerCase()} ${owner.object.metadata.name}, which can't be scaled to zero`,
      );
      continue;
    }
    const danger = whyUnguarded(owner.object);
    if (danger !== undefined) {
      failures.push(danger);
      continue;
    }
    const outcome = await switchObject(client, { ...owner, plan: planStop }, signal);
    messages.push(...(outcome.messages ?? []));
    if (outcome.failure !== undefined) failures.push(outcome.failure);
  }
  return { messages, failures };
}

const scalable: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'ReplicaSet', 'DeploymentConfig']);

/** The highest owner that is a workload; `undefined` for a pod that stands alone. */
async function findTopOwner(
  client: KubeClient,
  finder: ResourceFinder,
  pod: KubeObject,
  signal?: AbortSignal,
): Promise<{ readonly resource: Resource; readonly object: AnyObject } | undefined> {
  let top: { readonly resource: Resource; readonly object: AnyObject } | undefined;
  let reference = controllerOf(pod);
  for (let generation = 0; reference !== undefined && generation < maxGenerations; generation += 1) {
    const { apiVersion, kind, name } = reference;
    const wanted = await finder.find({ apiVersion, kind, metadata: { name } }, signal);
    if (wanted.found === 'No') return top;
    const { resource } = wanted;
    const object = await client
      .find(resource, { namespace: pod.metadata.namespace, name }, { signal })
      .catch((error: unknown) => {
        // Operators' kinds are nobody's to read unless an admin says so; what stands below them is stopped all the same.
        if (!isForbidden(error) || scalable.has(kind)) throw error;
        return undefined;
      });
    if (object === undefined || object.metadata.uid !== reference.uid) return top;
    // A custom resource above a workload would scale it up again; what it understands is its registration's.
    if (top !== undefined && !scalable.has(object.kind)) return top;
    top = { resource, object };
    reference = controllerOf(object);
  }
  return top;
}
