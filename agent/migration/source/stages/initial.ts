/** Stage Initial: gather, ask the destination for its plan, refuse or begin. Changes nothing on either cluster. */
import { type Migration, type MigrationStatus, type MigrationVolume, rules } from '../../../../crds/v1alpha1/index.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { advance, fail, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import type { Peer } from '../../../peer/peer.ts';
import { findTransformations } from '../../../resources/transformation/find-transformations.ts';
import { type IncomingVolume, type PlanAnswer, paths, planAnswerSchema, purgeFeature } from '../../messages.ts';
import { transformationOf } from '../collect.ts';
import {
  decideExclusive,
  decideJobs,
  decidePlan,
  decideRequest,
  decideSpec,
  type Refusal,
  type RequestFacts,
  summarizeRefusals,
} from '../decide-initial.ts';
import { findNamespaces } from '../find-namespaces.ts';
import { findPeers } from '../find-peers.ts';
import { type GatheredVolumes, gatherVolumes } from '../gather-volumes.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import { planGroups } from '../plan-groups.ts';
import { describeOwner, findPods, planQuiesce } from '../plan-quiesce.ts';
import { checkReading, checkRequester } from '../requester/check-requester.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { summarize } from '../summarize.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

export async function runInitial(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  if (context.object.spec.dryRun) return advance('Planned');
  const prepared = await prepare(services, context);
  switch (prepared.do) {
    case 'wait':
      return wait(prepared.seconds, prepared.reason, prepared.message);
    case 'refuse':
      return refused(prepared.refusals);
    case 'go':
      return advance('PreExecRule', startingStatus(prepared.gathered, context.object.spec));
    default:
      return prepared satisfies never;
  }
}

/** What the run begins with, and what a plan is made of. */
export interface Gathered {
  readonly peer: Peer;
  /** Cluster-scoped objects go over this one. */
  readonly admin: Peer;
  readonly namespaces: readonly string[];
  readonly found: GatheredVolumes;
  readonly answer: PlanAnswer;
  /** Workloads that would be stopped for the copy. */
  readonly stops: readonly string[];
}

export type Prepared =
  | { readonly do: 'wait'; readonly seconds: number; readonly reason: string; readonly message: string }
  /** `gathered` is there once the destination was asked. */
  | { readonly do: 'refuse'; readonly refusals: readonly Refusal[]; readonly gathered: Gathered | undefined }
  | { readonly do: 'go'; readonly gathered: Gathered };

/** Reads only. */
export async function prepare(services: SourceServices, context: StageContext<Migration>): Promise<Prepared> {
  const { object: migration, signal } = context;
  const { spec } = migration;
  const contradictions = decideSpec(spec);
  if (contradictions.length > 0) return { do: 'refuse', refusals: contradictions, gathered: undefined };
  const peers = await findPeers(services, migration, signal);
  if (peers.found === 'No' && peers.next === 'Refuse') {
    const { code, message } = peers;
    return { do: 'refuse', refusals: [{ code, message }], gathered: undefined };
  }
  const wanted = await findNamespaces(services, migration, signal);
  const existing = wanted.filter(({ exists }) => exists === 'Yes').map(({ name }) => name);
  await checkRequester(services, migration, existing, signal);
  if (peers.found === 'No') return { do: 'wait', seconds: 10, reason: peers.code, message: peers.message };
  const { peer, admin } = peers;
  const transformation = await findTransformations(services.client, transformationOf(migration, existing), signal);
  if (transformation.ready === 'Soon')
    return { do: 'wait', seconds: 2, reason: 'TransformationNotReady', message: transformation.message };
  if (transformation.ready === 'No') return { do: 'refuse', refusals: [transformation], gathered: undefined };
  const found = spec.includeVolumes
    ? await gatherVolumes(services, migration, existing, signal)
    : { volumes: [], refused: [], consumers: [] };
  const decision = decideRequest(await requestFacts(services, context, { peer, wanted, found }));
  if (decision.do === 'refuse') return { ...decision, gathered: undefined };
  const { namespaces } = decision;
  await checkReading(services, migration, { namespaces, pairId: peer.pairId }, signal);
  const claims = found.volumes.map(({ incoming }) => incoming);
  const body = { namespaces, claims, overwrite: spec.overwriteDestination };
  const deadlineMs = sourceLimits.longAnswerMs;
  const path = paths.plan(migration.metadata.uid ?? '');
  const answer = await peer.request({ method: 'POST', path, body, answer: planAnswerSchema, signal, deadlineMs });
  const needed = spec.purgeDeletedResources ? [{ field: 'spec.purgeDeletedResources', feature: purgeFeature }] : [];
  const stopping = await planStops(services, context, found);
  const refusals = [...found.refused, ...decidePlan(answer, needed), ...stopping.refusals];
  const gathered = { peer, admin, namespaces, found, answer, stops: stopping.stops };
  return refusals.length > 0 ? { do: 'refuse', refusals, gathered } : { do: 'go', gathered };
}

function refused(refusals: readonly Refusal[]): Result {
  const { reason, message } = summarizeRefusals(refusals);
  return fail(reason, message);
}

function startingStatus({ found, answer }: Gathered, { quiesce }: Migration['spec']): Partial<MigrationStatus> {
  const claims = found.volumes.map(({ incoming }) => incoming);
  const modes = new Map(answer.claims.map((claim) => [`${claim.namespace}/${claim.name}`, claim.decision]));
  const modeOf = (claim: IncomingVolume) =>
    modes.get(`${claim.namespace}/${claim.name}`) === 'update' ? ('update' as const) : ('fresh' as const);
  const groups = planGroups(
    claims.map((claim) => ({ namespace: claim.namespace, name: claim.name, mode: modeOf(claim) })),
    found.consumers,
  );
  const howRead = quiesce
    ? 'it will be read while what writes it is stopped: its storage has no snapshots'
    : 'the live volume will be read: its storage has no snapshots';
  const volumes = found.volumes.map(({ incoming, volume, driver }): MigrationVolume => {
    const group = groups.find(
      ({ namespace, claims: names }) => namespace === incoming.namespace && names.includes(incoming.name),
    );
    return {
      persistentVolumeClaim: incoming.name,
      namespace: incoming.namespace,
      uid: incoming.uid,
      volume,
      mode: modeOf(incoming),
      group: group?.id ?? '',
      consumer: group?.consumer,
      status: 'Pending',
      reason: driver.snapshots === undefined ? howRead : '',
    };
  });
  return { volumes, resources: [], ...summarize({ volumes, resources: [] }) };
}

async function requestFacts(
  services: SourceServices,
  context: StageContext<Migration>,
  gathered: { readonly peer: Peer; readonly wanted: RequestFacts['namespaces']; readonly found: GatheredVolumes },
): Promise<RequestFacts> {
  const { object: migration, signal } = context;
  const { spec } = migration;
  const namespace = migration.metadata.namespace ?? '';
  const named = [
    { field: 'spec.preExecRule', name: spec.preExecRule },
    { field: 'spec.postExecRule', name: spec.postExecRule },
  ];
  const found: RequestFacts['rules'][number][] = [];
  for (const { field, name } of named) {
    if (name === undefined || name === '') continue;
    const rule = await services.client.find(rules, { namespace, name }, { signal });
    const holds = rule?.rules?.some((item) => item.actions?.some(({ background }) => background)) === true;
    found.push({ field, name, exists: rule === undefined ? 'No' : 'Yes', holds: holds ? 'Yes' : 'No' });
  }
  const live = liveOf(gathered.found);
  return {
    migrationNamespace: namespace,
    agentNamespace: services.agentNamespace,
    namespaces: gathered.wanted,
    missingNamespaces: spec.skipDeletedNamespaces ? 'Skip' : 'Refuse',
    grant: gathered.peer.grant,
    pair: gathered.peer.pair,
    rules: found,
    quiesce: spec.quiesce ? 'Yes' : 'No',
    liveClaims: live.map(({ incoming }) => `${incoming.namespace}/${incoming.name}`),
  };
}

const liveOf = ({ volumes }: GatheredVolumes) => volumes.filter(({ driver }) => driver.snapshots === undefined);

/** What quiescing means for these volumes, and what of it can't be. */
async function planStops(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
  found: GatheredVolumes,
): Promise<{ readonly stops: readonly string[]; readonly refusals: readonly Refusal[] }> {
  const live = liveOf(found).map(({ incoming }) => incoming);
  if (live.length === 0) return { stops: [], refusals: [] };
  if (migration.spec.quiesce !== true) {
    const exclusive = live.filter(({ accessModes }) => accessModes.includes('ReadWriteOncePod'));
    return { stops: [], refusals: decideExclusive(exclusive, await findPods(services, exclusive, signal)) };
  }
  const { stop, jobs, refusals } = await planQuiesce(services, migration, live, signal);
  return { stops: stop.map(describeOwner), refusals: [...refusals, ...decideJobs(jobs)] };
}
