/**
 * What a peer may ask of this cluster about a migration. Each request is checked against the pair's grant as it stands
 * now; what the grant does not allow is refused by name, before any effect.
 */
import { incomingEnded } from '../../../crds/agent-names.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import type { PairFacts, PeerRoute } from '../../peer/peer.ts';
import { jsonRoute } from '../../peer/routes.ts';
import { keyOfRef } from '../../resources/resource-ref.ts';
import {
  activateRequestSchema,
  type ClaimAnswer,
  type PlanAnswer,
  type PlanRequest,
  planRequestSchema,
  purgeFeature,
  purgeRequestSchema,
  receiveRequestSchema,
  stashFeature,
  type WaveRequest,
  waveRequestSchema,
} from '../messages.ts';
import {
  planObjectsRequestSchema,
  speedRequestSchema,
  surroundingsRequestSchema,
  toPlannedObject,
} from '../plan-messages.ts';
import { type ClaimDecision, decideClaim } from './decide-claim.ts';
import { type DestinationServices, destinationLimits, type Sender } from './destination-services.ts';
import { type ClusterFacts, gatherClaimFacts, gatherClusterFacts } from './gather-claim-facts.ts';
import { findClaimProblems } from './gather-limits.ts';
import { listKindNames } from './list-kind-names.ts';
import { describeApplied, namedInLog } from './log-incoming.ts';
import { mustCover } from './must-cover.ts';
import { planSurroundings } from './plan-surroundings.ts';
import { purge } from './purge.ts';
import { findGroup, receiveGroup } from './receive-group.ts';

export interface DestinationRoutesParts {
  readonly services: DestinationServices;
  /** Makes the receive controller look at a run soon. */
  readonly wake: (run: string) => void;
}

export function destinationRoutes({ services, wake }: DestinationRoutesParts): readonly PeerRoute[] {
  return [
    jsonRoute({
      method: 'POST',
      path: '/v1/operations/:uid/plan',
      body: planRequestSchema,
      answer: ({ pair, params, body, signal }) =>
        plan(services, senderOf(pair), { operation: params.uid ?? '', body }, signal),
    }),
    jsonRoute({
      method: 'PUT',
      path: '/v1/operations/:uid/groups/:run',
      body: receiveRequestSchema,
      answer: ({ pair, params, body, signal }) =>
        receiveGroup(services, { sender: senderOf(pair), params, body, wake }, signal),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/operations/:uid/groups/:run',
      answer: ({ pair, params, signal }) =>
        findGroup(services, { sender: senderOf(pair), operation: params.uid ?? '', run: params.run ?? '' }, signal),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/operations/:uid/kinds',
      async answer({ pair, signal }) {
        mustCover(services, senderOf(pair), []);
        return { kinds: await listKindNames(services.client, signal), features: [stashFeature] };
      },
    }),
    jsonRoute({
      method: 'PUT',
      path: '/v1/operations/:uid/wave',
      body: waveRequestSchema,
      async answer({ pair, params, body, signal }) {
        const wave = waveOf(services, { pair, operation: params.uid ?? '', body });
        const applied = await services.applyObjects(wave, signal);
        services.log.info('applied resources', describeApplied(wave, applied));
        return {
          results: applied.map(({ ref, result, reason, managedBy }) => ({ ...ref, result, reason, managedBy })),
        };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/operations/:uid/plan-objects',
      body: planObjectsRequestSchema,
      async answer({ pair, params, body, signal }) {
        const wave = waveOf(services, { pair, operation: params.uid ?? '', body });
        const planned = await services.applyObjects({ ...wave, plan: body.coming }, signal);
        const values = wave.sender.grant.directions.includes('Send') ? 'Tell' : 'Withhold';
        return { results: planned.map((one) => toPlannedObject(one, values)) };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/operations/:uid/plan-surroundings',
      body: surroundingsRequestSchema,
      answer: ({ pair, body, signal }) => planSurroundings(services, senderOf(pair), body, signal),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/operations/:uid/plan-speed',
      body: speedRequestSchema,
      answer: async () => ({}),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/operations/:uid/activate',
      body: activateRequestSchema,
      async answer({ pair, params, body, signal }) {
        const sender = senderOf(pair);
        mustCover(services, sender, body.namespaces);
        const { migration, namespaces } = body;
        services.log.info('starting what came', {
          ...{ operation: params.uid, migration, pair: sender.pair, namespaces: namespaces.slice(0, namedInLog) },
        });
        const only = body.objects === undefined ? undefined : new Set(body.objects.map(keyOfRef));
        const account = services.asPeer(sender.grant.serviceAccount);
        return await services.activate(account, { namespaces: body.namespaces, only }, signal);
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/operations/:uid/purge',
      body: purgeRequestSchema,
      answer: ({ pair, body, signal }) => purge(services, senderOf(pair), body, signal),
    }),
    jsonRoute({
      method: 'DELETE',
      path: '/v1/operations/:uid',
      answer: ({ pair, params, signal }) =>
        removeOperation(services, { sender: senderOf(pair), operation: params.uid ?? '', wake }, signal),
    }),
  ];
}

function waveOf(
  services: DestinationServices,
  of: { readonly pair: PairFacts; readonly operation: string; readonly body: WaveRequest },
) {
  const { migration, time, requester, objects } = of.body;
  const sender = senderOf(of.pair);
  mustCover(
    services,
    sender,
    objects.map(namespaceOf).filter((namespace) => namespace !== undefined),
  );
  return { sender, operation: of.operation, migration, time, requester, objects: objects.map(withNamespace) };
}

function senderOf(pair: PairFacts): Sender {
  return {
    pairId: pair.id,
    pair: `${pair.namespace}/${pair.name}`,
    cluster: pair.cluster,
    grant: { ...pair.grant, clusterScopedKinds: pair.grant.clusterScopedKinds ?? [] },
  };
}

interface WaveObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}

/** The namespace an object lives in, or is. */
function namespaceOf(object: WaveObject): string | undefined {
  return object.kind === 'Namespace' ? object.metadata.name : object.metadata.namespace;
}

/** An absent namespace is no field at all. */
function withNamespace(object: WaveObject): AnyObject {
  const { namespace, ...metadata } = object.metadata;
  return { ...object, metadata: namespace === undefined ? metadata : { ...metadata, namespace } };
}

async function plan(
  services: DestinationServices,
  sender: Sender,
  request: { readonly operation: string; readonly body: PlanRequest },
  signal: AbortSignal,
): Promise<PlanAnswer> {
  const { body, operation } = request;
  mustCover(services, sender, [...body.namespaces, ...body.claims.map(({ namespace }) => namespace)]);
  const cluster = await gatherClusterFacts(services.client, services.records, body.namespaces, signal);
  const context = { pairId: sender.pairId, operation, overwrite: body.overwrite ? 'Overwrite' : 'Refuse' } as const;
  const claims = await mapLimit(
    body.claims,
    destinationLimits.claimReads,
    async (claim, stop) =>
      answerFor(claim, decideClaim(await gatherClaimFacts(services, cluster, claim, context, stop)), cluster),
    signal,
  );
  const answered = body.claims.flatMap((incoming, index) => {
    const answer = claims[index];
    return answer === undefined ? [] : [{ incoming, answer }];
  });
  return { claims, problems: await findClaimProblems(services.client, answered, signal), features: [purgeFeature] };
}

function answerFor(
  claim: { readonly namespace: string; readonly name: string },
  decision: ClaimDecision,
  { restricted }: ClusterFacts,
): ClaimAnswer {
  const { namespace, name } = claim;
  switch (decision.do) {
    case 'fill':
      return { namespace, name, decision: 'fill', storageClass: decision.storageClass };
    case 'update':
      return { namespace, name, decision: 'update', message: describeUpdate(decision, restricted.has(namespace)) };
    case 'refuse':
      return {
        namespace,
        name,
        decision: 'refuse',
        code: decision.code,
        message: decision.message,
        hint: decision.hint,
      };
    default:
      return decision satisfies never;
  }
}

/** For people; `undefined` when only what we brought is updated, by root. */
function describeUpdate(decision: Extract<ClaimDecision, { do: 'update' }>, isRestricted: boolean): string | undefined {
  const how = [
    describeOverwrite(decision),
    isRestricted ? 'it is updated as the user of its pods: what that may not set is counted and named' : undefined,
  ].filter((sentence) => sentence !== undefined);
  return how.length === 0 ? undefined : how.join('; ');
}

function describeOverwrite({ expectDigest, scaleDown }: Extract<ClaimDecision, { do: 'update' }>): string | undefined {
  if (expectDigest !== undefined) return undefined;
  const pods =
    scaleDown.length === 0 ? '' : `; what owns pod ${scaleDown.slice(0, 10).join(', ')} is scaled down first`;
  return `it is overwritten whatever it holds, and a snapshot is kept where its storage can${pods}`;
}

/**
 * Clean-up at the end of an operation, and its abort. An update that was allowed to change its volume, and a new volume on
 * its way to its users, are finished first: half of two points is no point.
 */
async function removeOperation(
  services: DestinationServices,
  call: { readonly sender: Sender; readonly operation: string; readonly wake: (run: string) => void },
  signal: AbortSignal,
): Promise<{ readonly state: 'Gone' | 'Removing'; readonly left: readonly string[] }> {
  const left: string[] = [];
  for (const stored of await services.records.listReceives(signal)) {
    const { value: record } = stored;
    if (record.request.operation !== call.operation || record.pairId !== call.sender.pairId) continue;
    if (record.phase === 'Kept') continue;
    left.push(`receiving ${record.request.group}`);
    const hasBegun = record.applyingSince !== undefined || record.result !== undefined;
    const finishing = record.phase === 'Working' && hasBegun;
    if (record.phase !== 'Removing' && !finishing)
      await services.records.saveReceive({ ...record, phase: 'Removing', reason: 'Removing' }, stored, signal);
    call.wake(record.request.run);
  }
  if (left.length > 0) return { state: 'Removing', left };
  services.log.info(incomingEnded, { operation: call.operation, pair: call.sender.pair });
  return { state: 'Gone', left };
}
