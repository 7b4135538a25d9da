/** Stage Initial: gather, ask the destination for its plan, refuse or begin. Changes nothing on either cluster. */
import { type Migration, type MigrationStatus, type MigrationVolume, rules } from '../../../../crds/v1alpha1/index.ts';
import { core } from '../../../../kube/client/core.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { advance, fail, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import { admitsMovers } from '../../../mover/admits-movers.ts';
import type { Peer } from '../../../peer/peer.ts';
import { findTransformations } from '../../../resources/transformation/find-transformations.ts';
import { type IncomingVolume, type PlanAnswer, paths, planAnswerSchema, purgeFeature } from '../../messages.ts';
import { transformationOf } from '../collect.ts';
import {
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
      return advance('PreExecRule', startingStatus(prepared.gathered));
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
  const refusals = [...found.refused, ...decidePlan(answer, needed)];
  const gathered = { peer, admin, namespaces, found, answer };
  return refusals.length > 0 ? { do: 'refuse', refusals, gathered } : { do: 'go', gathered };
}

function refused(refusals: readonly Refusal[]): Result {
  const { reason, message } = summarizeRefusals(refusals);
  return fail(reason, message);
}

function startingStatus({ found, answer }: Gathered): Partial<MigrationStatus> {
  const claims = found.volumes.map(({ incoming }) => incoming);
  const modes = new Map(answer.claims.map((claim) => [`${claim.namespace}/${claim.name}`, claim.decision]));
  const modeOf = (claim: IncomingVolume) =>
    modes.get(`${claim.namespace}/${claim.name}`) === 'update' ? ('update' as const) : ('fresh' as const);
  const groups = planGroups(
    claims.map((claim) => ({ namespace: claim.namespace, name: claim.name, mode: modeOf(claim) })),
    found.consumers,
  );
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
      reason: driver.snapshots === undefined ? 'the live volume will be read: its storage has no snapshots' : '',
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
  const live = gathered.found.volumes.filter(({ driver }) => driver.snapshots === undefined);
  return {
    migrationNamespace: namespace,
    agentNamespace: services.agentNamespace,
    namespaces: gathered.wanted,
    missingNamespaces: spec.skipDeletedNamespaces ? 'Skip' : 'Refuse',
    grant: gathered.peer.grant,
    pair: gathered.peer.pair,
    rules: found,
    liveClaims: live.map(({ incoming }) => `${incoming.namespace}/${incoming.name}`),
    restricted: await findRestricted(
      services,
      live.map(({ incoming }) => incoming.namespace),
      signal,
    ),
  };
}

async function findRestricted(
  { client }: SourceServices,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const restricted: string[] = [];
  for (const name of new Set(namespaces)) {
    const namespace = await client.find(core.namespaces, { name }, { signal });
    if (namespace !== undefined && admitsMovers(namespace) === 'No') restricted.push(name);
  }
  return restricted;
}
