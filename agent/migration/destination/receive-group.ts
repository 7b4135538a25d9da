/**
 * A peer's requests about one group of claims: it begins by a request that tells all, and is polled by one that tells
 * nothing. Both may be repeated at will; a run belongs to the pair that began it.
 */
import { isAlreadyExists, isConflict, StorkError } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import { parseMoverResult } from '../../mover/contract.ts';
import { applyingReason, type GroupState, type ReceiveAnswer, type ReceiveRequest } from '../messages.ts';
import { runId } from '../names.ts';
import type { ReceiveRecord, Stored } from '../records.ts';
import type { RunWatch } from '../run-watch.ts';
import { decideClaim } from './decide-claim.ts';
import { type DestinationServices, destinationLimits, type Sender } from './destination-services.ts';
import { gatherClaimFacts, gatherClusterFacts } from './gather-claim-facts.ts';
import { mustCover } from './must-cover.ts';
import { ensureNamespace } from './receive-steps.ts';

export async function receiveGroup(
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
    services,
    sender,
    body.claims.map(({ namespace }) => namespace),
  );
  mustAgree(params, body);
  const existing = await services.records.findReceive(body.run, signal);
  if (existing !== undefined) return answerTo(sender, existing);
  const refused = await refuseAgain(services, sender, body, signal);
  if (refused !== undefined) return refused;
  for (const namespace of new Set(body.claims.map((claim) => claim.namespace)))
    await ensureNamespace(services, sender.grant.serviceAccount, namespace, signal);
  const stored = await createRecord(services, sender, body, signal);
  services.log.info('receiving volumes', {
    operation: body.operation,
    migration: body.migration,
    group: body.group,
    mode: body.mode,
    pair: sender.pair,
  });
  wake(body.run);
  return answerTo(sender, stored);
}

/** The same request may run twice at a time, when its first answer came too late: both find one record. */
async function createRecord(
  services: DestinationServices,
  sender: Sender,
  body: ReceiveRequest,
  signal: AbortSignal,
): Promise<Stored<ReceiveRecord>> {
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
  try {
    const stored = await services.records.saveReceive(record, undefined, signal);
    return await yieldToOther(services, stored, signal);
  } catch (error) {
    const other = isAlreadyExists(error) ? await services.records.findReceive(body.run, signal) : undefined;
    if (other === undefined) throw error;
    return other;
  }
}

/** Two operations may have asked for one claim at the same instant, neither seeing the other: one of them gives way. */
async function yieldToOther(
  services: DestinationServices,
  mine: Stored<ReceiveRecord>,
  signal: AbortSignal,
): Promise<Stored<ReceiveRecord>> {
  const claimsOf = ({ request }: ReceiveRecord) => request.claims.map(({ namespace, name }) => `${namespace}/${name}`);
  const wanted = new Set(claimsOf(mine.value));
  const { run } = mine.value.request;
  const other = (await services.records.listReceives(signal)).find(
    ({ value }) =>
      value.phase === 'Working' && value.request.run < run && claimsOf(value).some((claim) => wanted.has(claim)),
  );
  if (other === undefined) return mine;
  const message = `operation ${other.value.request.operation} writes one of these claims at the same time`;
  return await services.records.saveReceive(
    { ...mine.value, phase: 'Failed', reason: 'DestinationBusy', message },
    mine,
    signal,
  );
}

/** A poll. That the peer still asks is written down now and then: who never asks again is given up. */
export async function findGroup(
  services: DestinationServices,
  call: { readonly sender: Sender; readonly operation: string; readonly run: string },
  signal: AbortSignal,
): Promise<GroupState> {
  const stored = await services.records.findReceive(call.run, signal);
  if (stored === undefined || stored.value.request.operation !== call.operation) return {};
  const answer = answerTo(call.sender, stored);
  mustCover(
    services,
    call.sender,
    stored.value.request.claims.map(({ namespace }) => namespace),
  );
  await noteAsked(services, stored, signal);
  return { answer: { ...answer, ...describeMover(services.runs.watch(call.run)) } };
}

function describeMover(watch: RunWatch | undefined): Pick<ReceiveAnswer, 'mover' | 'progress'> {
  if (watch?.report === undefined) return {};
  const { phase, bytesDone, bytesTotal } = watch.report;
  return { mover: phase, progress: { bytesDone, bytesTotal, bytesPerSecond: watch.bytesPerSecond } };
}

async function noteAsked(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  signal: AbortSignal,
): Promise<void> {
  const { value: record } = stored;
  const now = services.clock.now();
  const sinceMs = now.getTime() - Date.parse(record.asked ?? record.started);
  if (sinceMs < destinationLimits.askedMinutes * 60_000) return;
  try {
    await services.records.saveReceive({ ...record, asked: rfc3339(now) }, stored, signal);
  } catch (error) {
    // Whoever changed it meanwhile is at work on it; the next poll notes it.
    if (!isConflict(error)) throw error;
  }
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
function answerTo(sender: Sender, stored: Stored<ReceiveRecord>): ReceiveAnswer {
  if (stored.value.pairId === sender.pairId) return answerOf(stored.value);
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
  const { phase, message } = record;
  if (phase === 'Working' && record.applyingSince !== undefined) return { phase, reason: applyingReason, message };
  // What is kept of it changes nothing about how it ended.
  if (phase !== 'Complete' && phase !== 'Kept')
    return { phase: phase === 'Working' ? 'Working' : 'Failed', reason: record.reason, message };
  const result = parseMoverResult(record.result ?? '');
  const volumes = result.volumes.map(({ name, digest, sent, files, bytes, bytesSent, degraded }) => ({
    name,
    digest,
    sent,
    files,
    bytes,
    bytesSent,
    degraded,
  }));
  return {
    phase: 'Complete',
    reason: record.reason,
    message: record.message,
    point: record.point ?? 1,
    volumes,
    kept: record.kept,
  };
}
