/**
 * Deletes on the destination what earlier migrations of a pair brought and the source has no more. It looks for itself:
 * what is deleted is found here by its marks, the source only says what it still has. Promises:
 * - Only objects that came by this pair, before the source looked, in the namespaces asked for; accounts and claims never.
 * - Each is deleted in the version that was looked at, as the grant's ServiceAccount; finalizers do their work.
 * - Nothing in a namespace where a workload that came by the pair runs, or any pod but those of DaemonSets.
 * - Repeating the call ends in the same state.
 */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { AnyObject, AnyResource, KubeClient, Resource } from '../../../kube/client/client.ts';
import { core, type Pod } from '../../../kube/client/core.ts';
import { isConflict, isForbidden } from '../../../kube/errors.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { createResourceFinder } from '../apply/find-resource.ts';
import { losesClaimsDeleted } from '../claim-guard.ts';
import { storkNames } from '../names.ts';
import { orderObjects } from '../order-objects.ts';
import { type ResourceRef, refOf } from '../resource-ref.ts';
import {
  decidePurge,
  isMissing,
  isRunningCopy,
  type PurgeFacts,
  type PurgeScope,
  runningReason,
} from './decide-purge.ts';

export interface PurgeParts {
  /** The agent's own: it reads discovery and CRDs. */
  readonly client: KubeClient;
  /** Acts as the grant's ServiceAccount. */
  readonly writer: KubeClient;
  /** By namespace, why nothing is deleted there; see {@link findRunning}. */
  readonly running: ReadonlyMap<string, string>;
  /** Objects in one answer; the caller asks again for the rest. */
  readonly maxResults: number;
}

export interface PurgeRequest extends PurgeFacts {
  readonly scopes: readonly PurgeScope[];
}

export interface PurgedObject {
  readonly ref: ResourceRef;
  readonly result: 'Purged' | 'Failed';
  readonly reason: string | undefined;
}

export interface PurgeOutcome {
  readonly results: readonly PurgedObject[];
  /** Kinds that could not be looked at, one sentence each. */
  readonly notPurged: readonly string[];
  /** `Yes`: there is more than fits into one answer. */
  readonly more: 'Yes' | 'No';
}

const parallelDeletes = 8;
const deleteAttempts = 4;

export async function purgeObjects(
  parts: PurgeParts,
  request: PurgeRequest,
  signal?: AbortSignal,
): Promise<PurgeOutcome> {
  const found = await findDoomed(parts, request, signal);
  const doomed = found.objects.slice(0, parts.maxResults);
  const resources = new Map(doomed.map(({ resource, object }) => [keyOf(object), resource]));
  const results: PurgedObject[] = [];
  // Workloads go before what they need.
  for (const wave of orderObjects(doomed.map(({ object }) => object)).toReversed()) {
    const purge = async (object: AnyObject, stop: AbortSignal): Promise<PurgedObject | undefined> => {
      const resource = resources.get(keyOf(object));
      const needed = parts.running.get(object.metadata.namespace ?? '');
      if (needed !== undefined) return { ref: refOf(object), result: 'Failed', reason: needed };
      return resource === undefined ? undefined : await purgeOne(parts.writer, { resource, object }, request, stop);
    };
    results.push(...(await mapLimit(wave, parallelDeletes, purge, signal)).filter((one) => one !== undefined));
  }
  return { results, notPurged: found.notPurged, more: doomed.length < found.objects.length ? 'Yes' : 'No' };
}

const workloads: readonly AnyResource[] = [core.deployments, core.statefulSets, core.replicaSets, core.cronJobs];

/** By namespace: what runs there, as the reason why nothing is deleted: it may need anything, and be the active side. */
export async function findRunning(
  client: KubeClient,
  pairId: string,
  namespaces: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const running = new Map<string, string>();
  for (const namespace of namespaces) {
    for (const resource of workloads) {
      const options = { namespace, labelSelector: `${storkNames.migrated}=true`, signal };
      for await (const object of client.list(resource, options)) {
        const workload: AnyObject = { ...object };
        if (isRunningCopy(workload, pairId)) running.set(namespace, runningReason(workload));
      }
    }
    for await (const pod of client.list(core.pods, { namespace, signal }))
      if (isOfApplication(pod)) running.set(namespace, running.get(namespace) ?? runningReason({ ...pod }));
  }
  return running;
}

/** Pods of a DaemonSet run wherever it is; movers are ours. */
function isOfApplication({ metadata, status }: Pod): boolean {
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  const ofDaemonSet = metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet') === true;
  return !hasEnded && !ofDaemonSet && !isManagedByAgent(metadata);
}

interface Doomed {
  readonly resource: Resource;
  readonly object: AnyObject;
}

const keyOf = ({ apiVersion, kind }: AnyObject): string => `${apiVersion} ${kind}`;

async function findDoomed(parts: PurgeParts, request: PurgeRequest, signal: AbortSignal | undefined) {
  const finder = createResourceFinder(parts.client);
  const objects: Doomed[] = [];
  const notPurged: string[] = [];
  for (const scope of request.scopes) {
    const { namespace, kind } = scope;
    const names = new Set(scope.names);
    const apiVersion = scope.group === '' ? scope.version : `${scope.group}/${scope.version}`;
    const served = await finder.find({ apiVersion, kind, metadata: { name: '' } }, signal);
    // What is not served here was not brought here.
    if (served.found === 'No' || !served.resource.namespaced) continue;
    const { resource } = served;
    try {
      for await (const object of parts.writer.list<AnyObject>(resource, { namespace, signal })) {
        if (!isMissing(object.metadata.name, scope, names)) continue;
        if (decidePurge(object, request).do !== 'leave') objects.push({ resource, object });
      }
    } catch (error) {
      if (!isForbidden(error)) throw error;
      notPurged.push(`the grant's ServiceAccount may not list ${resource.plural} in ${namespace}`);
    }
  }
  return { objects, notPurged };
}

/** `undefined`: it is not to be purged any more, or is gone. */
async function purgeOne(
  writer: KubeClient,
  doomed: Doomed,
  facts: PurgeFacts,
  signal: AbortSignal,
): Promise<PurgedObject | undefined> {
  const { resource } = doomed;
  const ref = refOf(doomed.object);
  const { namespace, name } = ref;
  let object: AnyObject | undefined = doomed.object;
  for (let attempt = 1; object !== undefined; attempt += 1) {
    const decision = decidePurge(object, facts);
    if (decision.do === 'leave') return undefined;
    if (decision.do === 'refuse') return { ref, result: 'Failed', reason: decision.reason };
    if (facts.mode === 'Plan') return { ref, result: 'Purged', reason: undefined };
    const { uid, resourceVersion } = object.metadata;
    try {
      // A StatefulSet may own its claims (whenDeleted: Delete): they are to stay. No pod of it is there, see `running`.
      const propagation = losesClaimsDeleted(object) ? 'Orphan' : 'Background';
      const options = { uid, resourceVersion, propagation, signal } as const;
      const left = await writer.delete(resource, { namespace, name }, options);
      return { ref, result: 'Purged', reason: lingering(left) };
    } catch (error) {
      signal.throwIfAborted();
      if (isForbidden(error)) return { ref, result: 'Failed', reason: "the grant's ServiceAccount may not delete it" };
      if (!isConflict(error)) throw error;
      if (attempt === deleteAttempts)
        return { ref, result: 'Failed', reason: `it was changed by others ${attempt} times while it was deleted` };
      object = await writer.find(resource, { namespace, name }, { signal });
    }
  }
  return undefined;
}

function lingering(left: AnyObject | undefined): string | undefined {
  const finalizers = left?.metadata.finalizers ?? [];
  return finalizers.length === 0 ? undefined : `being deleted: ${finalizers.join(', ')} must let it go`;
}
