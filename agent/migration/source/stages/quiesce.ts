/**
 * `spec.quiesce`: before volumes without snapshots are copied, what writes them is stopped, and it comes back when they are
 * copied, when the migration fails or is deleted, and at its deadline at the latest. What is to be stopped is in status
 * before the first of it is; what each was lies on the object itself (agent/resources/quiesce/rest.ts).
 */
import type { Migration, MigrationQuiesce, MigrationStatus, MigrationVolume } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import { rfc3339 } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { fail, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import { switchObject } from '../../../resources/activation.ts';
import { createResourceFinder } from '../../../resources/apply/find-resource.ts';
import { endPods } from '../../../resources/end-pods.ts';
import type { Owner } from '../../../resources/quiesce/find-writers.ts';
import { describeRest, planRest, planResume, type RestOrder } from '../../../resources/quiesce/rest.ts';
import { findPods, parseClaim, planQuiesce, type QuiescePlan } from '../plan-quiesce.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { driverOf, nameOf } from './cut-volumes.ts';

type Result = Outcome<never, MigrationStatus>;
type Workload = NonNullable<MigrationQuiesce['workloads']>[number];

/** `undefined` when nothing is to be stopped, or all that is stopped rests. */
export async function quiesce(services: SourceServices, context: StageContext<Migration>): Promise<Result | undefined> {
  const { spec, status } = context.object;
  if (spec.quiesce !== true) return undefined;
  const was = status?.quiesce;
  if (was === undefined) return await begin(services, context);
  if (was.resumedTimestamp !== undefined) return undefined;
  if (services.clock.now().getTime() >= Date.parse(was.deadline))
    return fail(
      'QuiesceExpired',
      `What was stopped for the copy had to come back at ${was.deadline}, and the copy was not done. Give it longer with spec.quiesceTimeoutSeconds, or migrate without quiesce first: then only what changed is left to copy`,
    );
  if (was.stoppedTimestamp === undefined) return await stop(services, context, was);
  return await findBreach(services, context);
}

/** A failure when something writes the volumes although all that did was stopped: the copy is worth nothing then. */
export async function findBreach(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
): Promise<Result | undefined> {
  const was = migration.status?.quiesce;
  if (was?.stoppedTimestamp === undefined || was.resumedTimestamp !== undefined) return undefined;
  const [first, ...others] = await findPods(services, (was.claims ?? []).map(parseClaim), signal);
  if (first === undefined) return undefined;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return fail(
    'NotConsistent',
    `${first.pod}${more} uses a volume that is copied, although what wrote it was stopped: something started it again (an operator, GitOps, a person)`,
  );
}

async function begin(services: SourceServices, context: StageContext<Migration>): Promise<Result | undefined> {
  const { object: migration, signal } = context;
  const volumes = migration.status?.volumes ?? [];
  if (volumes.every(({ cutTimestamp }) => cutTimestamp !== undefined)) return undefined;
  const live = await liveVolumes(services, volumes, signal);
  if (live.length === 0) return undefined;
  const claims = live.map(nameOf);
  const plan = await planQuiesce(services, migration, claims.map(parseClaim), signal);
  const hindrance = hindranceOf(plan);
  if (hindrance !== undefined) return hindrance;
  const seconds = migration.spec.quiesceTimeoutSeconds ?? sourceLimits.quiesceSeconds;
  const deadline = rfc3339(new Date(services.clock.now().getTime() + seconds * 1000));
  const quiesced: MigrationQuiesce = { deadline, claims, workloads: plan.stop.map(toWorkload) };
  return wait(0, 'Quiescing', 'stopping what writes the volumes', { quiesce: quiesced });
}

async function stop(
  services: SourceServices,
  context: StageContext<Migration>,
  was: MigrationQuiesce,
): Promise<Result> {
  const { object: migration, signal } = context;
  const known = was.workloads ?? [];
  const plan = await planQuiesce(services, migration, (was.claims ?? []).map(parseClaim), signal);
  const hindrance = hindranceOf(plan);
  if (hindrance !== undefined) return hindrance;
  const added = plan.stop.filter(({ object }) => !known.some(({ uid }) => uid === object.metadata.uid));
  if (added.length > 0)
    return wait(0, 'Quiescing', 'stopping what writes the volumes', {
      quiesce: { ...was, workloads: [...known, ...added.map(toWorkload)] },
    });
  const planned = known.filter(({ state }) => state === 'Planned');
  if (planned.length > 0) {
    const stopped = new Map<string, Workload>();
    for (const workload of planned) {
      const owner = plan.stop.find(({ object }) => object.metadata.uid === workload.uid);
      const said = await stopOne(services, context, { workload, owner });
      if ('failure' in said) return fail('QuiesceFailed', `Could not stop ${said.failure}`);
      stopped.set(workload.uid, said);
    }
    const workloads = known.map((workload) => stopped.get(workload.uid) ?? workload);
    return wait(0, 'Quiescing', 'what writes the volumes was told to stop', { quiesce: { ...was, workloads } });
  }
  const left = plan.writers.filter(({ pod }) => pod !== 'None').map(({ what }) => what);
  if (left.length > 0) return wait(1, 'Quiescing', `waiting for ${left.slice(0, 5).join(', ')} to end`);
  const stoppedTimestamp = rfc3339(services.clock.now());
  return wait(0, 'Quiesced', 'nothing writes the volumes', { quiesce: { ...was, stoppedTimestamp } });
}

async function stopOne(
  services: SourceServices,
  { object: migration, effect, signal }: StageContext<Migration>,
  of: { readonly workload: Workload; readonly owner: Owner | undefined },
): Promise<Workload | { readonly failure: string }> {
  const { workload, owner } = of;
  const order = {
    operation: migration.metadata.uid ?? '',
    migration: `${migration.metadata.namespace}/${migration.metadata.name}`,
  };
  // Not among the writers any more: it rests, by what we did before we died or by itself.
  const now = await findWorkload(services, workload, signal);
  if (now === undefined) return { ...workload, state: 'Resumed', reason: 'it was deleted meanwhile' };
  const rest: RestOrder = { ...order, fields: owner?.fields ?? [] };
  const outcome = await effect(`stop ${textOf(workload)}`, () =>
    switchObject(services.client, { ...now, plan: (object) => planRest(object, rest) }, signal),
  );
  if (outcome.failure !== undefined) return { failure: outcome.failure };
  const ended = await endPods(services.client, now.object, owner?.registration, signal);
  if (ended.failure !== undefined) return { failure: ended.failure };
  const after = await findWorkload(services, workload, signal);
  return { ...workload, state: 'Stopped', before: after === undefined ? '' : describeRest(after.object) };
}

export interface Resumed {
  /** What is still stopped, for people. */
  readonly left: readonly string[];
  readonly patch: Partial<MigrationStatus>;
}

/** Brings back what was stopped; as often as it takes. Nothing to do when all is back. */
export async function resumeWorkloads(services: SourceServices, context: StageContext<Migration>): Promise<Resumed> {
  const { object: migration, effect, signal } = context;
  const was = migration.status?.quiesce;
  if (was === undefined || was.resumedTimestamp !== undefined) return { left: [], patch: {} };
  const operation = migration.metadata.uid ?? '';
  const workloads: Workload[] = [];
  for (const workload of was.workloads ?? []) {
    if (workload.state === 'Resumed') {
      workloads.push(workload);
      continue;
    }
    const found = await findWorkload(services, workload, signal);
    const outcome =
      found === undefined
        ? {}
        : await effect(`resume ${textOf(workload)}`, () =>
            switchObject(services.client, { ...found, plan: (object) => planResume(object, operation) }, signal),
          );
    if (outcome.failure !== undefined) workloads.push({ ...workload, reason: outcome.failure });
    else
      workloads.push({ ...workload, state: 'Resumed', reason: found === undefined ? 'it was deleted meanwhile' : '' });
  }
  const left = workloads.filter(({ state }) => state !== 'Resumed').map((one) => `${textOf(one)}: ${one.reason}`);
  const resumed = left.length === 0 ? { resumedTimestamp: rfc3339(services.clock.now()) } : {};
  return { left, patch: { quiesce: { ...was, workloads, ...resumed } } };
}

function hindranceOf({ refusals, waitFor }: QuiescePlan): Result | undefined {
  const [first] = refusals;
  if (first !== undefined) return fail(first.code, `${first.message}. ${first.hint}`);
  if (waitFor === undefined) return undefined;
  return wait(5, 'QuiescedByOther', `migration ${waitFor} has what writes the volumes stopped`);
}

async function liveVolumes(services: SourceServices, volumes: readonly MigrationVolume[], signal: AbortSignal) {
  const live: MigrationVolume[] = [];
  for (const volume of volumes)
    if ((await driverOf(services, volume, signal)).snapshots === undefined) live.push(volume);
  return live;
}

async function findWorkload(services: SourceServices, workload: Workload, signal: AbortSignal) {
  const { apiVersion, kind, namespace, name, uid } = workload;
  const found = await createResourceFinder(services.client).find({ apiVersion, kind, metadata: { name } }, signal);
  if (found.found === 'No') return undefined;
  const { resource } = found;
  const object = await services.client.find<AnyObject>(resource, { namespace, name }, { signal });
  return object?.metadata.uid === uid ? { resource, object } : undefined;
}

const toWorkload = ({ object }: Owner): Workload => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  namespace: object.metadata.namespace ?? '',
  name: object.metadata.name,
  uid: object.metadata.uid ?? '',
  state: 'Planned',
});

const textOf = ({ kind, namespace, name }: Workload): string => `${kind.toLowerCase()} ${namespace}/${name}`;
