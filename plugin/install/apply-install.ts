/** Carries an installation out: refuses what isn't ours, applies, waits for the kinds and for the agent. Repeatable. */
import { isManagedByAgent } from '../../crds/agent-names.ts';
import type { AnyObject, KubeClient } from '../../kube/client/client.ts';
import { core, type Deployment } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { resourceOfObject } from './resource-of-object.ts';

export interface InstallWork {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

export type Applied = 'created' | 'configured' | 'unchanged';

const fieldManager = 'kubectl-stork';
const pollMs = 500;

/**
 * An object of the same name that isn't marked as ours is a refusal, before anything is changed: we would take it over.
 * Kinds are the exception: they may be a former Stork's, and objects of theirs stay.
 * @throws StorkError `NotOurs`
 */
export async function refuseForeign({ client, signal }: InstallWork, objects: readonly AnyObject[]): Promise<void> {
  for (const object of objects) {
    if (object.kind === 'CustomResourceDefinition' || object.kind === 'Namespace') continue;
    const { name, namespace } = object.metadata;
    const found = await client.find(resourceOfObject(object), { name, namespace }, { signal });
    if (found === undefined || isManagedByAgent(found.metadata)) continue;
    const about = namespace === undefined ? name : `${namespace}/${name}`;
    throw new StorkError({
      code: 'NotOurs',
      message: `there is a ${object.kind} ${about} already that kubectl stork did not make`,
      hint: 'Rename or delete it; nothing was changed.',
    });
  }
}

export async function applyObjects(
  work: InstallWork,
  objects: readonly AnyObject[],
  dryRun: 'All' | undefined,
): Promise<void> {
  for (const object of objects) {
    const applied = await applyOne(work, object, dryRun);
    const suffix = dryRun === undefined ? '' : ' (server dry run)';
    work.tell(`${object.kind.toLowerCase()}/${object.metadata.name} ${applied}${suffix}`);
    if (object.kind === 'CustomResourceDefinition' && dryRun === undefined)
      await waitUntilServed(work, object.metadata.name);
  }
}

/** Taking back fields that others changed is what installing again is for. */
async function applyOne(
  { client, signal }: InstallWork,
  object: AnyObject,
  dryRun: 'All' | undefined,
): Promise<Applied> {
  const resource = resourceOfObject(object);
  const { name, namespace } = object.metadata;
  const before = await client.find(resource, { name, namespace }, { signal });
  if (dryRun !== undefined && namespace !== undefined && !(await exists({ client, signal }, namespace)))
    return 'created';
  const after = await client.apply(resource, object, { fieldManager, conflicts: 'Force', dryRun, signal });
  if (before === undefined) return 'created';
  return before.metadata.resourceVersion === after.metadata.resourceVersion ? 'unchanged' : 'configured';
}

/** The server can't try out an object whose namespace is only a dry run. */
async function exists({ client, signal }: Pick<InstallWork, 'client' | 'signal'>, namespace: string): Promise<boolean> {
  return (await client.find(core.namespaces, { name: namespace }, { signal })) !== undefined;
}

const servedWithinMs = 30_000;

async function waitUntilServed(work: InstallWork, name: string): Promise<void> {
  const { client, clock, signal } = work;
  const deadlineMs = clock.monotonicMs() + servedWithinMs;
  for (;;) {
    const { status } = await client.get(core.customResourceDefinitions, { name }, { signal });
    if (status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True')) return;
    if (clock.monotonicMs() > deadlineMs) {
      const refused = status?.conditions?.find((one) => one.status === 'False')?.message;
      throw new StorkError({
        code: 'KindNotServed',
        message: `the API server doesn't serve ${name}: ${refused ?? 'no reason told'}`,
      });
    }
    await clock.sleep(pollMs, signal);
  }
}

/** @throws StorkError `RolloutTimeout` with what the newest pod says */
export async function waitForAgent(
  work: InstallWork,
  agent: { readonly namespace: string; readonly name: string; readonly timeoutMs: number },
): Promise<void> {
  const { client, clock, signal, tell } = work;
  const { namespace, name, timeoutMs } = agent;
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let told = '';
  for (;;) {
    const deployment = await client.get(core.deployments, { namespace, name }, { signal });
    const missing = missingReplicas(deployment);
    if (missing === 0) return;
    const why = await podTrouble(work, namespace);
    if (why !== '' && why !== told) tell(`waiting for the agent: ${why}`);
    told = why;
    if (clock.monotonicMs() > deadlineMs) {
      const hint = `Look at it: kubectl -n ${namespace} describe pod -l app.kubernetes.io/name=${name}`;
      throw new StorkError({
        code: 'RolloutTimeout',
        message: `the agent is not ready${why === '' ? '' : `: ${why}`}`,
        hint,
      });
    }
    await clock.sleep(pollMs, signal);
  }
}

/** As kubectl rollout status counts: new pods that are available, and no old ones. */
function missingReplicas({ metadata, spec, status }: Deployment): number {
  const wanted = spec?.replicas ?? 1;
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return wanted;
  const old = (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return wanted - Math.min(status?.updatedReplicas ?? 0, status?.availableReplicas ?? 0) + old;
}

async function podTrouble({ client, signal }: InstallWork, namespace: string): Promise<string> {
  for await (const pod of client.list(core.pods, {
    namespace,
    labelSelector: 'app.kubernetes.io/name=stork-agent',
    signal,
  })) {
    for (const { state, restartCount, lastState } of pod.status?.containerStatuses ?? []) {
      const ended = lastState?.terminated;
      if (state?.waiting?.reason !== undefined && state.waiting.reason !== 'ContainerCreating') {
        return `${pod.metadata.name} ${state.waiting.reason} ${state.waiting.message ?? ''}`.trim();
      }
      if (restartCount > 0 && ended !== undefined) return `${pod.metadata.name} restarted, exit code ${ended.exitCode}`;
    }
    const unscheduled = pod.status?.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'False');
    if (unscheduled !== undefined) return `${pod.metadata.name} ${unscheduled.message ?? unscheduled.reason ?? ''}`;
  }
  return '';
}
