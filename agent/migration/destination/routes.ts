/**
 * What a peer may ask of this cluster about a migration. Each request is checked against the pair's grant as it stands
 * now; what the grant does not allow is refused by name, before any effect.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import type { PairFacts, PeerRoute } from '../../peer/peer.ts';
import { jsonRoute } from '../../peer/routes.ts';
import {
  activateRequestSchema,
  type ClaimAnswer,
  type PlanAnswer,
  type PlanRequest,
  planRequestSchema,
  receiveRequestSchema,
  waveRequestSchema,
} from '../messages.ts';
import { type ClaimDecision, decideClaim } from './decide-claim.ts';
import { type DestinationServices, destinationLimits, type Sender } from './destination-services.ts';
import { gatherClaimFacts, gatherClusterFacts } from './gather-claim-facts.ts';
import { listServedKinds } from './list-served-kinds.ts';
import { mustCover } from './must-cover.ts';
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
        return { kinds: await listServedKinds(services.client, signal) };
      },
    }),
    jsonRoute({
      method: 'PUT',
      path: '/v1/operations/:uid/wave',
      body: waveRequestSchema,
      async answer({ pair, params, body, signal }) {
        const sender = senderOf(pair);
        const namespaces = body.objects
          .map((object) => namespaceOf(object))
          .filter((namespace) => namespace !== undefined);
        mustCover(services, sender, namespaces);
        const wave = {
          sender,
          operation: params.uid ?? '',
          migration: body.migration,
          time: body.time,
          objects: body.objects.map(withNamespace),
        };
        return { results: await services.applyObjects(wave, signal) };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/operations/:uid/activate',
      body: activateRequestSchema,
      async answer({ pair, body, signal }) {
        const sender = senderOf(pair);
        mustCover(services, sender, body.namespaces);
        return await services.activate(services.asPeer(sender.grant.serviceAccount), body.namespaces, signal);
      },
    }),
    jsonRoute({
      method: 'DELETE',
      path: '/v1/operations/:uid',
      answer: ({ pair, params, signal }) =>
        removeOperation(services, { sender: senderOf(pair), operation: params.uid ?? '', wake }, signal),
    }),
  ];
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
      answerFor(claim, decideClaim(await gatherClaimFacts(services, cluster, claim, context, stop))),
    signal,
  );
  return { claims, problems: [] };
}

function answerFor(claim: { readonly namespace: string; readonly name: string }, decision: ClaimDecision): ClaimAnswer {
  const { namespace, name } = claim;
  switch (decision.do) {
    case 'fill':
      return { namespace, name, decision: 'fill', storageClass: decision.storageClass };
    case 'update':
      return { namespace, name, decision: 'update' };
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
    left.push(`receiving ${record.request.group}`);
    const hasBegun = record.applyingSince !== undefined || record.result !== undefined;
    const finishing = record.phase === 'Working' && hasBegun;
    if (record.phase !== 'Removing' && !finishing)
      await services.records.saveReceive({ ...record, phase: 'Removing', reason: 'Removing' }, stored, signal);
    call.wake(record.request.run);
  }
  return { state: left.length === 0 ? 'Gone' : 'Removing', left };
}
