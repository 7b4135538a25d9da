/**
 * Stage Planned, of a dry run only: asks both clusters what each stage would do, and ends. Changes nothing but the Migration
 * itself; its status says how the run would end.
 */
import { type Migration, type MigrationStatus, migrations } from '../../../../crds/v1alpha1/index.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { fail, finish, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import type { Peer } from '../../../peer/peer.ts';
import { activeSideAfter, activeSideAfterFailure } from '../active-side.ts';
import { type Refusal, summarizeRefusals } from '../decide-initial.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import { composePlan, type PlanFacts, statusOfVerdict } from '../plan/compose-plan.ts';
import { type EarlierRun, type Estimate, estimateTime, readRun } from '../plan/estimate-time.ts';
import { measureLink } from '../plan/measure-link.ts';
import { type ObjectsPlan, planObjects, toStaying } from '../plan/plan-objects.ts';
import { planRules } from '../plan/plan-rules.ts';
import { noSurroundings, planSurroundings } from '../plan/plan-surroundings.ts';
import { claimObject, findUse, type PlannedVolume, planVolume } from '../plan/plan-volumes.ts';
import { decideGitOpsCondition, describeUnread, type ResourceResult } from '../resource-results.ts';
import type { SourceServices } from '../source-services.ts';
import { decideEnding, unmovedClaims } from './applications.ts';
import { type Gathered, prepare } from './initial.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

export async function runPlanned(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const prepared = await prepare(services, context);
  if (prepared.do === 'wait') return wait(prepared.seconds, prepared.reason, prepared.message);
  const refusals = prepared.do === 'refuse' ? prepared.refusals : [];
  const facts =
    prepared.gathered === undefined
      ? unplanned(services, context.object, refusals)
      : await gatherPlan(services, context, { gathered: prepared.gathered, refusals });
  const plan = composePlan(facts);
  const status = statusOfVerdict[plan.verdict ?? 'Refused'];
  const patch = { plan, status, summary: totals(plan.volumes?.length ?? 0, facts.resourceCount) };
  if (plan.verdict !== 'Refused') return finish('Planned', facts.ending.reason, patch);
  const { reason, message } = summarizeRefusals(facts.refusals);
  return fail(reason, message, patch);
}

type Facts = PlanFacts & { readonly resourceCount: number };

/** The request itself is refused: nothing else was asked. */
function unplanned(services: SourceServices, { spec }: Migration, refusals: readonly Refusal[]): Facts {
  return {
    refusals,
    objects: [],
    volumes: [],
    rules: [],
    stops: [],
    surroundings: noSurroundings,
    estimate: { how: 'unknown: the request is refused' },
    ending: { status: 'Failed', reason: '' },
    activeSideAfter: activeSideAfterFailure({ source: services.cluster, spec }, 'Earlier'),
    resourceCount: 0,
  };
}

async function gatherPlan(
  services: SourceServices,
  context: StageContext<Migration>,
  of: { readonly gathered: Gathered; readonly refusals: readonly Refusal[] },
): Promise<Facts> {
  const { object: migration, signal } = context;
  const { spec } = migration;
  const { peer, admin, namespaces, found, answer } = of.gathered;
  const rules = await planRules(services, context, namespaces);
  const volumes = await planVolumes(services, of.gathered, signal);
  const moved = new Set(found.volumes.map(({ incoming }) => incoming.uid));
  const unmoved = await unmovedClaims(services, context, { namespaces, moved });
  const sent = spec.includeResources ? await planObjects(services, context, { peer, admin, namespaces }) : nothingSent;
  const objects = [...volumes.map(claimObject), ...unmoved.map(toStaying), ...sent.planned];
  const results = [...volumes.map(arrived), ...unmoved, ...sent.results];
  const refusals = [...of.refusals, ...rules.refusals];
  const sides = { source: services.cluster, destination: peer.cluster, spec };
  return {
    refusals,
    objects,
    volumes,
    rules: rules.sentences,
    stops: of.gathered.stops,
    surroundings: await planSurroundings(services, context, {
      ...{ peer, namespaces, sent, claims: answer.claims },
      notices: [decideGitOpsCondition(results)?.message, describeUnread(results)],
    }),
    estimate: await planTime(services, context, { peer, volumes }),
    ending: decideEnding(results, []),
    activeSideAfter: refusals.length === 0 ? activeSideAfter(sides) : activeSideAfterFailure(sides, 'Earlier'),
    resourceCount: results.length,
  };
}

/** As the run counts a volume that came: whether it comes is said by its refusal. */
const arrived = ({ namespace, persistentVolumeClaim: name }: PlannedVolume): ResourceResult => ({
  ...{ group: '', version: 'v1', kind: 'PersistentVolumeClaim', namespace, name },
  status: 'Successful',
});

const nothingSent: ObjectsPlan = { planned: [], results: [], objects: [] };

async function planVolumes(
  services: SourceServices,
  { peer, found, answer }: Gathered,
  signal: AbortSignal,
): Promise<readonly PlannedVolume[]> {
  const key = (claim: { readonly namespace: string; readonly name: string }) => `${claim.namespace}/${claim.name}`;
  const answers = new Map(answer.claims.map((claim) => [key(claim), claim]));
  const use = await findUse(services, found.volumes, peer.pairId, signal);
  return found.volumes.map((volume) =>
    planVolume(volume, answers.get(key(volume.incoming)), use.get(key(volume.incoming))),
  );
}

/** By earlier runs; the link's speed is measured only where there are none. */
async function planTime(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
  of: { readonly peer: Peer; readonly volumes: readonly PlannedVolume[] },
): Promise<Estimate> {
  const runs = await earlierRuns(services, migration, signal);
  if (runs.length > 0 || of.volumes.length === 0) return estimateTime(of.volumes, runs);
  const operation = migration.metadata.uid ?? '';
  const measured = await measureLink(of.peer, { clock: services.clock, operation, signal });
  return estimateTime(of.volumes, runs, measured);
}

/** Over the same pair, in the namespaces that its Migrations may live in. Statuses are large: they are read few at a time. */
async function earlierRuns(
  services: SourceServices,
  migration: Migration,
  signal: AbortSignal,
): Promise<readonly EarlierRun[]> {
  const runs: EarlierRun[] = [];
  for (const namespace of new Set([migration.metadata.namespace ?? '', services.agentNamespace])) {
    for await (const other of services.client.list(migrations, { namespace, pageSize: 10, signal })) {
      const run = other.spec.clusterPair === migration.spec.clusterPair ? readRun(other) : undefined;
      if (run !== undefined) runs.push(run);
    }
  }
  return runs;
}

function totals(volumes: number, resources: number): NonNullable<MigrationStatus['summary']> {
  return {
    totalNumberOfVolumes: volumes,
    totalNumberOfResources: resources,
    numOfMigratedVolumes: 0,
    numOfMigratedResources: 0,
    volumes: `0/${volumes}`,
    resources: `0/${resources}`,
  };
}
