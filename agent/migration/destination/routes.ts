/**
 * What a peer may ask of this cluster about a migration. Each request is checked against the pair's grant as it stands
 * now; what the grant does not allow is refused by name, before any effect.
 */
import { StorkError } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import { parseMoverResult } from '../../mover/contract.ts';
import type { PairFacts, PeerRoute } from '../../peer/peer.ts';
import { jsonRoute } from '../../peer/routes.ts';
import {
  activateRequestSchema,
  type ClaimAnswer,
  type PlanAnswer,
  type PlanRequest,
  planRequestSchema,
  type ReceiveAnswer,
  type ReceiveRequest,
  receiveRequestSchema,
  waveRequestSchema,
} from '../messages.ts';
import { runId } from '../names.ts';
import type { ReceiveRecord, Stored } from '../records.ts';
import { type ClaimDecision, decideClaim } from './decide-claim.ts';
import type { DestinationServices, Sender } from './destination-services.ts';
import { gatherClaimFacts, gatherClusterFacts } from './gather-claim-facts.ts';
import { ensureNamespace } from './receive.ts';

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
      method: 'PUT',
      path: '/v1/operations/:uid/wave',
      body: waveRequestSchema,
      async answer({ pair, params, body, signal }) {
        const sender = senderOf(pair);
        const namespaces = body.objects
          .map((object) => namespaceOf(object))
          .filter((namespace) => namespace !== undefined);
        mustCover(sender, namespaces);
        const wave = {
          sender,
          operation: params.uid ?? '',
          migration: body.migration,
          time: body.time,
          objects: body.objects,
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
        mustCover(sender, body.namespaces);
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

/** @throws StorkError `GrantRefused` naming what is outside the grant */
function mustCover(sender: Sender, namespaces: readonly string[]): void {
  const refused = (message: string, hint: string) =>
    new StorkError({ code: 'GrantRefused', message, about: `clusterpair ${sender.pair}`, hint });
  if (!sender.grant.directions.includes('Receive'))
    throw refused(
      `The destination's ClusterPair ${sender.pair} does not receive applications (its grant has no direction Receive)`,
      'Its admin can add Receive to spec.grant.directions.',
    );
  const outside = [...new Set(namespaces)].filter(
    (name) => !sender.grant.namespaces.includes('*') && !sender.grant.namespaces.includes(name),
  );
  if (outside.length > 0)
    throw refused(
      `The destination's ClusterPair ${sender.pair} does not cover namespace ${outside.slice(0, 10).join(', ')}`,
      'Its admin can add it to spec.grant.namespaces.',
    );
}

/** The namespace an object lives in, or is. */
function namespaceOf(object: {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: unknown };
}): string | undefined {
  if (object.kind === 'Namespace') return object.metadata.name;
  return typeof object.metadata.namespace === 'string' ? object.metadata.namespace : undefined;
}

async function plan(
  services: DestinationServices,
  sender: Sender,
  request: { readonly operation: string; readonly body: PlanRequest },
  signal: AbortSignal,
): Promise<PlanAnswer> {
  const { body, operation } = request;
  mustCover(sender, [...body.namespaces, ...body.claims.map(({ namespace }) => namespace)]);
  const cluster = await gatherClusterFacts(services.client, services.records, body.namespaces, signal);
  const context = { pairId: sender.pairId, operation, overwrite: body.overwrite ? 'Overwrite' : 'Refuse' } as const;
  const claims: ClaimAnswer[] = [];
  for (const claim of body.claims)
    claims.push(answerFor(claim, decideClaim(await gatherClaimFacts(services, cluster, claim, context, signal))));
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

async function receiveGroup(
  services: DestinationServices,
  call: {
    readonly sender: Sender;
    readonly params: Readonly<Record<string, string>>;
    readonly body: ReceiveRequest;
    readonly wake: (run: string) => void;
  },
  signal: AbortSignal,
): Promise<ReceiveAnswer> {
  const { sender, params, body, wake } = call;
  mustCover(
    sender,
    body.claims.map(({ namespace }) => namespace),
  );
  mustAgree(params, body);
  const existing = await services.records.findReceive(body.run, signal);
  if (existing !== undefined) {
    mustOwn(sender, existing);
    return answerOf(existing.value);
  }
  const refused = await refuseAgain(services, sender, body, signal);
  if (refused !== undefined) return refused;
  for (const namespace of new Set(body.claims.map((claim) => claim.namespace)))
    await ensureNamespace(services, sender.grant.serviceAccount, namespace, signal);
  const record: ReceiveRecord = {
    pairId: sender.pairId,
    pair: sender.pair,
    actAs: sender.grant.serviceAccount,
    request: body,
    phase: 'Working',
    reason: 'Receiving',
    message: 'the destination prepares to receive',
    started: rfc3339(services.clock.now()),
  };
  const stored = await services.records.saveReceive(record, undefined, signal);
  services.log.info('receiving volumes', {
    operation: body.operation,
    group: body.group,
    mode: body.mode,
    pair: sender.pair,
  });
  wake(body.run);
  return answerOf(stored.value);
}

function mustAgree(params: Readonly<Record<string, string>>, body: ReceiveRequest): void {
  const [namespace] = new Set(body.claims.map((claim) => claim.namespace));
  const oneNamespace = body.claims.every((claim) => claim.namespace === namespace);
  if (
    params.uid === body.operation &&
    params.run === body.run &&
    body.run === runId(body.operation, body.group) &&
    oneNamespace
  )
    return;
  throw new StorkError({
    code: 'InvalidPeerMessage',
    message: 'The group request contradicts its own path',
    about: 'operation, run, group or claims',
  });
}

/** A run belongs to the pair that began it: no other peer may see or touch it. */
function mustOwn(sender: Sender, stored: Stored<ReceiveRecord>): void {
  if (stored.value.pairId === sender.pairId) return;
  throw new StorkError({
    code: 'GrantRefused',
    message: 'This run belongs to another pair',
    about: `run ${stored.value.request.run}`,
  });
}

/** Between plan and start things may have changed: asked again, with what the source now believes. */
async function refuseAgain(
  services: DestinationServices,
  sender: Sender,
  body: ReceiveRequest,
  signal: AbortSignal,
): Promise<ReceiveAnswer | undefined> {
  const namespaces = [...new Set(body.claims.map(({ namespace }) => namespace))];
  const cluster = await gatherClusterFacts(services.client, services.records, namespaces, signal);
  const context = {
    pairId: sender.pairId,
    operation: body.operation,
    overwrite: body.overwrite ? 'Overwrite' : 'Refuse',
  } as const;
  for (const claim of body.claims) {
    const decision = decideClaim(await gatherClaimFacts(services, cluster, claim, context, signal));
    if (decision.do === 'refuse')
      return { phase: 'Failed', reason: decision.code, message: decision.message, hint: decision.hint };
    if ((decision.do === 'fill') !== (body.mode === 'fresh'))
      return {
        phase: 'Failed',
        reason: 'DestinationChanged',
        message: `persistentvolumeclaim ${claim.namespace}/${claim.name} appeared or vanished on the destination since the plan`,
        hint: 'Migrate again.',
      };
  }
  return undefined;
}

function answerOf(record: ReceiveRecord): ReceiveAnswer {
  if (record.phase !== 'Complete')
    return { phase: record.phase === 'Working' ? 'Working' : 'Failed', reason: record.reason, message: record.message };
  const result = parseMoverResult(record.result ?? '');
  const volumes = result.volumes.map(({ name, digest, files, bytes, bytesSent, degraded }) => ({
    name,
    digest,
    files,
    bytes,
    bytesSent,
    degraded,
  }));
  return { phase: 'Complete', reason: record.reason, message: record.message, point: record.point ?? 1, volumes };
}

/**
 * Clean-up at the end of an operation, and its abort. An update that was allowed to change its volume is finished first:
 * half of two points is no point.
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
    const finishing = record.phase === 'Working' && record.applyingSince !== undefined;
    if (record.phase !== 'Removing' && !finishing)
      await services.records.saveReceive({ ...record, phase: 'Removing', reason: 'Removing' }, stored, signal);
    call.wake(record.request.run);
  }
  return { state: left.length === 0 ? 'Gone' : 'Removing', left };
}
