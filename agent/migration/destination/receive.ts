/**
 * Drives one incoming group on the destination: observe, decide, do one step, observe again. Its record outlives the agent
 * and the peer; an update that has been staged and allowed is always finished.
 */
import { renderError, StorkError } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import { awaitChange, type ReconcileResult, requeueAfter } from '../../../kube/runtime/reconcile.ts';
import type { ReceiveRecord, Stored } from '../records.ts';
import { announceUndo } from './announce-undo.ts';
import { answerGate } from './answer-gate.ts';
import { decideReceive, type ReceiveStep } from './decide-receive.ts';
import { type DestinationServices, destinationEffect, destinationLimits } from './destination-services.ts';
import { gatherReceiveFacts, moverNamespace, type ReceiveSight } from './gather-receive-facts.ts';
import { growClaims } from './grow-claims.ts';
import { observePairGone } from './pair-gone.ts';
import {
  handOverClaims,
  keepResult,
  makeScratch,
  provision,
  reachedPoint,
  rememberClaims,
  removeScratch,
  startMover,
} from './receive-steps.ts';
import { releaseUndo, removeTemporary } from './remove-temporary.ts';
import { describeUndo, keepsUndo } from './undo-snapshots.ts';

type Signal = AbortSignal | undefined;

/** Reconciles the record of one run. */
export async function receive(
  services: DestinationServices,
  run: string,
  signal?: AbortSignal,
): Promise<ReconcileResult> {
  const stored = await services.records.findReceive(run, signal);
  if (stored === undefined) return awaitChange();
  switch (stored.value.phase) {
    case 'Working':
      return await work(services, stored, signal);
    case 'Complete':
    case 'Failed':
    case 'Removing':
      return await settle(services, stored, signal);
    case 'Kept':
      return await keep(services, stored, signal);
    default:
      return stored.value.phase satisfies never;
  }
}

/** It is over: nothing temporary stays, and the record itself goes when its peer asks, or can never ask again. */
async function settle(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  signal: Signal,
): Promise<ReconcileResult> {
  const { value: record } = stored;
  const remove = () => removeTemporary(services, record, signal);
  const left = await destinationEffect(services, { does: 'remove temporary', record, signal }, remove);
  if (left.length > 0) return requeueAfter(1);
  if (keepsUndo(record) && record.announced === undefined) {
    await destinationEffect(services, { does: 'announce', record, signal }, async () => {
      await announceUndo(services, record, signal);
      await services.records.saveReceive({ ...record, announced: rfc3339(services.clock.now()) }, stored, signal);
    });
    return requeueAfter(0);
  }
  const leftMs = giveUpMs - silentMs(services, record);
  if (record.phase !== 'Removing' && leftMs > 0 && (await observePairGone(services.client, record, signal)) === 'There')
    return requeueAfter(Math.ceil(leftMs / 1000));
  if (!keepsUndo(record) || record.keptUntil === undefined) return await forget(services, record, signal);
  await services.records.saveReceive({ ...record, phase: 'Kept' }, stored, signal);
  return requeueAfter(0);
}

/** Only snapshots of what was overwritten are left, until they are of no use any more. */
async function keep(
  services: DestinationServices,
  { value: record }: Stored<ReceiveRecord>,
  signal: Signal,
): Promise<ReconcileResult> {
  const leftMs = Date.parse(record.keptUntil ?? '') - services.clock.now().getTime();
  if (leftMs > 0) return requeueAfter(Math.min(Math.ceil(leftMs / 1000), destinationLimits.keptLookHours * 3600));
  const release = () => releaseUndo(services, record, signal);
  const left = await destinationEffect(services, { does: 'expire undo', record, signal }, release);
  if (left.length === 0) return await forget(services, record, signal);
  services.log.info('snapshots of what was overwritten are still being removed', { run: record.request.run, left });
  return requeueAfter(destinationLimits.expirySeconds);
}

async function forget(services: DestinationServices, record: ReceiveRecord, signal: Signal): Promise<ReconcileResult> {
  const remove = () => services.records.removeReceive(record.request.run, signal);
  await destinationEffect(services, { does: 'forget', record, signal }, remove);
  return awaitChange();
}

async function work(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  signal: Signal,
): Promise<ReconcileResult> {
  const { value: record } = stored;
  const forsaken = await whyForsaken(services, record, signal);
  if (forsaken !== undefined) {
    await services.records.saveReceive({ ...record, phase: 'Removing', reason: forsaken }, stored, signal);
    return requeueAfter(0);
  }
  services.runs.open(
    {
      run: record.request.run,
      pairId: record.pairId,
      namespace: moverNamespace(services, record),
      claimNamespaces: record.request.claims.map((claim) => claim.namespace),
      volumes: record.request.claims,
    },
    () => answerGate(services, record.request.run),
  );
  const sight = await gatherReceiveFacts(services, record, signal);
  const step = decideReceive(sight.facts);
  const act = () => carryOut(services, stored, { sight, step }, signal);
  try {
    return step.do === 'wait' ? await act() : await destinationEffect(services, { does: step.do, record, signal }, act);
  } catch (error) {
    if (!(error instanceof StorkError) || error.retryable || !isRefusal(error)) throw error;
    await conclude(services, stored, { phase: 'Failed', reason: error.code, message: renderError(error) }, signal);
    return requeueAfter(0);
  }
}

/**
 * Its pair was revoked, or nobody asked for it for days: what it holds is given back. What has begun to change for good is
 * finished regardless.
 */
async function whyForsaken(
  services: DestinationServices,
  record: ReceiveRecord,
  signal: Signal,
): Promise<'PeerSilent' | 'PairRevoked' | undefined> {
  if (record.applyingSince !== undefined || record.result !== undefined) return undefined;
  if (silentMs(services, record) > giveUpMs) return 'PeerSilent';
  return (await observePairGone(services.client, record, signal)) === 'Gone' ? 'PairRevoked' : undefined;
}

const giveUpMs = destinationLimits.giveUpHours * 3_600_000;

const silentMs = (services: DestinationServices, record: ReceiveRecord): number =>
  services.clock.now().getTime() - Date.parse(record.asked ?? record.started);

const ageMs = (services: DestinationServices, record: ReceiveRecord): number =>
  services.clock.now().getTime() - Date.parse(record.started);

/** What waiting won't cure. Anything else (a conflict, a server away) is tried again with backoff. */
const refusals: ReadonlySet<string> = new Set([
  'ClaimGone',
  'ClaimNotOurs',
  'ClaimTerminating',
  'ClaimNotBound',
  'DestinationBusy',
  'DestinationTooSmall',
  'ExpansionNotAllowed',
  'StorageClassMissing',
  'VolumeLost',
  'ResultIncomplete',
  'Forbidden',
  'Invalid',
]);
const isRefusal = (error: StorkError): boolean => refusals.has(error.code);

async function carryOut(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  what: { readonly sight: ReceiveSight; readonly step: ReceiveStep },
  signal: Signal,
): Promise<ReconcileResult> {
  const { value: record } = stored;
  const { step, sight } = what;
  const serviceAccount = record.actAs;
  switch (step.do) {
    case 'provision':
      await provision(services, record, step.claims, signal);
      return requeueAfter(0);
    case 'scaleDown':
      return await scaleDown(services, stored, step.pods, signal);
    case 'grow':
      await growClaims(services, record, step.claims, signal);
      return requeueAfter(1);
    case 'makeScratch':
      await makeScratch(services, record, step.bytes, signal);
      return requeueAfter(0);
    case 'startMover':
      await startMover(services, record, sight.facts.scratchBytes, signal);
      return requeueAfter(destinationLimits.pollSeconds);
    case 'removeScratch':
      await removeScratch(services, record, signal);
      return requeueAfter(1);
    case 'stopMover': {
      const wanted = sight.facts.jobResult?.scratchBytes ?? 0;
      const kept = await services.records.saveReceive({ ...record, wantedScratchBytes: wanted }, stored, signal);
      await stopMover(services, kept.value, signal);
      return requeueAfter(1);
    }
    case 'restartMover':
      await tell(services, stored, { reason: 'MoverRestarting', message: step.message }, signal);
      await stopMover(services, record, signal);
      return requeueAfter(destinationLimits.restartSeconds);
    case 'keepResult':
      await keepResult(services, stored, step.result, signal);
      return requeueAfter(0);
    case 'handOver': {
      const waitingFor = await handOverClaims(services, record, serviceAccount, step.claims, signal);
      if (waitingFor === undefined) return requeueAfter(0);
      await tell(services, stored, { reason: 'HandingOver', message: waitingFor }, signal);
      return requeueAfter(1);
    }
    case 'remember': {
      const { result } = sight;
      if (result === undefined) return requeueAfter(0);
      await rememberClaims(services, record, result, step.claims, signal);
      return requeueAfter(0);
    }
    case 'wait':
      await tell(services, stored, step, signal);
      return requeueAfter(destinationLimits.pollSeconds);
    case 'complete':
      await complete(services, stored, signal);
      return requeueAfter(0);
    case 'fail':
      await conclude(services, stored, { phase: 'Failed', reason: step.code, message: step.message }, signal);
      return requeueAfter(0);
    default:
      return step satisfies never;
  }
}

async function scaleDown(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  pods: readonly string[],
  signal: Signal,
): Promise<ReconcileResult> {
  const { value: record } = stored;
  if (record.applyingSince === undefined && ageMs(services, record) > destinationLimits.scaleDownMinutes * 60_000) {
    const message = `pod ${pods.join(', ')} still uses the volume, though its workload was scaled down`;
    await conclude(services, stored, { phase: 'Failed', reason: 'DestinationActive', message }, signal);
    return requeueAfter(0);
  }
  for (const namespace of new Set(record.request.claims.map((claim) => claim.namespace)))
    await services.scaleDown(services.asPeer(record.actAs), namespace, pods, signal);
  return requeueAfter(1);
}

async function stopMover(services: DestinationServices, record: ReceiveRecord, signal: Signal): Promise<void> {
  const place = { namespace: moverNamespace(services, record), run: record.request.run, role: 'destination' } as const;
  await services.moverJobs.remove(place, signal);
}

/** What it waits for, where the peer reads it. Written only when it changes. */
async function tell(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  now: { readonly reason: string; readonly message: string },
  signal: Signal,
): Promise<void> {
  const { value: record } = stored;
  const told = { reason: now.reason, message: now.message.slice(0, 1000) };
  if (record.reason === told.reason && record.message === told.message) return;
  await services.records.saveReceive({ ...record, ...told }, stored, signal);
}

async function complete(services: DestinationServices, stored: Stored<ReceiveRecord>, signal: Signal): Promise<void> {
  const { value: record } = stored;
  const point = await reachedPoint(services, record, signal);
  const keptUntil = keptUntilOf(services, { ...record, point });
  const kept = await describeUndo(services, { ...record, point, keptUntil }, signal);
  const message = 'everything was read back and is equal';
  const reached = { ...stored, value: { ...record, point, kept, keptUntil } };
  await conclude(services, reached, { phase: 'Complete', reason: 'Complete', message }, signal);
}

/** An overwrite that went well was wanted; what an update that broke has left is kept until a person decides. */
function keptUntilOf(services: DestinationServices, record: ReceiveRecord): string | undefined {
  if (!keepsUndo(record)) return undefined;
  return rfc3339(new Date(services.clock.now().getTime() + destinationLimits.undoKeepDays * 86_400_000));
}

async function conclude(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  end: Pick<ReceiveRecord, 'phase' | 'reason' | 'message'>,
  signal: Signal,
): Promise<void> {
  const kept = end.phase === 'Failed' ? await describeUndo(services, stored.value, signal) : [];
  const message = [end.message, ...kept].join('. ').slice(0, 4000);
  await services.records.saveReceive({ ...stored.value, ...end, message }, stored, signal);
  services.runs.close(stored.value.request.run);
  services.log.info('incoming volumes ended', {
    operation: stored.value.request.operation,
    group: stored.value.request.group,
    ...end,
  });
}
