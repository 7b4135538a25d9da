/**
 * Drives one incoming group on the destination: observe, decide, do one step, observe again. Its record outlives the agent
 * and the peer; an update that has been staged and allowed is always finished.
 */

import type { SnapshotRequest } from '../../../drivers/driver.ts';
import { core } from '../../../kube/client/core.ts';
import { isAlreadyExists, renderError, StorkError } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import { awaitChange, type ReconcileResult, requeueAfter } from '../../../kube/runtime/reconcile.ts';
import type { GateAnswer } from '../../mover/contract.ts';
import { incomingClaimName, operationLabels, scratchClaimName, undoSnapshotKey } from '../names.ts';
import type { ReceiveRecord, Stored } from '../records.ts';
import { decideReceive, type ReceiveStep } from './decide-receive.ts';
import { type DestinationServices, destinationLimits } from './destination-services.ts';
import { gatherReceiveFacts, moverNamespace, type ReceiveSight } from './gather-receive-facts.ts';
import { abandonHandOver } from './hand-over.ts';
import { handOverClaims, keepResult, makeScratch, provision, rememberClaims, startMover } from './receive-steps.ts';

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
      return (await removeTemporary(services, stored.value, signal)).length === 0 ? awaitChange() : requeueAfter(1);
    case 'Removing':
      return await remove(services, stored, signal);
    default:
      return stored.value.phase satisfies never;
  }
}

async function work(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  signal: Signal,
): Promise<ReconcileResult> {
  const { value: record } = stored;
  if (isForsaken(services, record)) {
    await services.records.saveReceive({ ...record, phase: 'Removing', reason: 'PeerSilent' }, stored, signal);
    return requeueAfter(0);
  }
  services.runs.open({ run: record.request.run, pairId: record.pairId }, () =>
    answerGate(services, record.request.run),
  );
  const sight = await gatherReceiveFacts(services, record, signal);
  const step = decideReceive(sight.facts);
  try {
    return await carryOut(services, stored, { sight, step }, signal);
  } catch (error) {
    if (!(error instanceof StorkError) || error.retryable || !isRefusal(error)) throw error;
    await conclude(services, stored, { phase: 'Failed', reason: error.code, message: renderError(error) }, signal);
    return requeueAfter(0);
  }
}

/** Nobody finished or aborted it for days: what it holds is given back. An update that has begun is finished regardless. */
function isForsaken(services: DestinationServices, record: ReceiveRecord): boolean {
  return record.applyingSince === undefined && ageMs(services, record) > destinationLimits.giveUpHours * 3_600_000;
}

const ageMs = (services: DestinationServices, record: ReceiveRecord): number =>
  services.clock.now().getTime() - Date.parse(record.started);

/** What waiting won't cure. Anything else (a conflict, a server away) is tried again with backoff. */
const refusals: ReadonlySet<string> = new Set([
  'ClaimNotOurs',
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
      if (ageMs(services, record) > destinationLimits.scaleDownMinutes * 60_000) {
        const message = `pod ${step.pods.join(', ')} still uses the volume, though its workload was scaled down`;
        await conclude(services, stored, { phase: 'Failed', reason: 'DestinationActive', message }, signal);
        return requeueAfter(0);
      }
      for (const namespace of new Set(record.request.claims.map((claim) => claim.namespace)))
        await services.scaleDown(services.asPeer(serviceAccount), namespace, step.pods, signal);
      return requeueAfter(1);
    case 'makeScratch':
      await makeScratch(services, record, step.bytes, signal);
      return requeueAfter(0);
    case 'startMover':
      await startMover(services, record, sight.facts.scratchBytes !== undefined, signal);
      return requeueAfter(destinationLimits.pollSeconds);
    case 'stopMover': {
      const wanted = sight.facts.jobResult?.scratchBytes ?? 0;
      await services.records.saveReceive({ ...record, wantedScratchBytes: wanted }, stored, signal);
      await services.moverJobs.remove(
        { namespace: moverNamespace(services, record), run: record.request.run, role: 'destination' },
        signal,
      );
      return requeueAfter(1);
    }
    case 'keepResult':
      await keepResult(services, stored, step.result, signal);
      return requeueAfter(0);
    case 'handOver': {
      const waitingFor = await handOverClaims(services, record, serviceAccount, step.claims, signal);
      return requeueAfter(waitingFor === undefined ? 0 : 1);
    }
    case 'remember': {
      const { result } = sight;
      if (result === undefined) return requeueAfter(0);
      const point = await rememberClaims(services, record, result, step.claims, signal);
      await services.records.saveReceive({ ...record, point }, stored, signal);
      return requeueAfter(0);
    }
    case 'wait':
      return requeueAfter(destinationLimits.pollSeconds);
    case 'complete':
      await conclude(
        services,
        stored,
        { phase: 'Complete', reason: 'Complete', message: 'everything was read back and is equal' },
        signal,
      );
      return requeueAfter(0);
    case 'fail':
      await conclude(services, stored, { phase: 'Failed', reason: step.code, message: step.message }, signal);
      return requeueAfter(0);
    default:
      return step satisfies never;
  }
}

async function conclude(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  end: Pick<ReceiveRecord, 'phase' | 'reason' | 'message'>,
  signal: Signal,
): Promise<void> {
  await services.records.saveReceive({ ...stored.value, ...end, message: end.message.slice(0, 4000) }, stored, signal);
  services.runs.close(stored.value.request.run);
  services.log.info('incoming volumes ended', {
    operation: stored.value.request.operation,
    group: stored.value.request.group,
    ...end,
  });
}

/**
 * Asked by the mover when everything is staged and verified. Nobody may use the claims; where the storage can snapshot, one
 * is cut first, so that even a broken update can be undone by hand. The permission is written down before it is given.
 */
async function answerGate(services: DestinationServices, run: string): Promise<GateAnswer> {
  const stored = await services.records.findReceive(run);
  if (stored === undefined || stored.value.phase !== 'Working')
    return { state: 'Refused', reason: 'the operation is over' };
  const { value: record } = stored;
  if (record.applyingSince !== undefined) return { state: 'Go' };
  const { facts } = await gatherReceiveFacts(services, record);
  if (facts.activePods.length > 0)
    return { state: 'Refused', reason: `in use on the destination by pod ${facts.activePods.join(', ')}` };
  for (const request of await undoRequests(services, record)) {
    const state = await request.driver.snapshots?.ensure(request.snapshot);
    if (state?.phase === 'Failed')
      return { state: 'Refused', reason: `the snapshot before the update failed: ${state.reason}` };
    if (state?.phase === 'Pending') return { state: 'Wait', retryAfterMs: 500 };
  }
  await services.records.saveReceive({ ...record, applyingSince: rfc3339(services.clock.now()) }, stored);
  return { state: 'Go' };
}

async function undoRequests(services: DestinationServices, record: ReceiveRecord, signal?: AbortSignal) {
  if (record.request.mode === 'fresh') return [];
  const requests: {
    readonly driver: NonNullable<ReturnType<DestinationServices['driverFor']>>;
    readonly snapshot: SnapshotRequest;
  }[] = [];
  for (const claim of record.request.claims) {
    const target = await services.client.find(core.persistentVolumeClaims, claim, { signal });
    const volume = target?.spec?.volumeName;
    if (target === undefined || volume === undefined) continue;
    const pv = await services.client.get(core.persistentVolumes, { name: volume }, { signal });
    const driver = services.driverFor({ pv: { ...pv } });
    if (driver?.snapshots === undefined) continue;
    const own = { namespace: claim.namespace, name: claim.name, uid: target.metadata.uid ?? '' };
    const key = undoSnapshotKey(record.request.run, claim.name);
    const labels = operationLabels(record.request.operation);
    requests.push({ driver, snapshot: { key, volume: { claim: own, volume }, labels } });
  }
  return requests;
}

/**
 * Removes movers, staging and unclaimed new volumes; names what is still there. The snapshot taken before an update goes
 * too once the update is proven, except after an overwrite: then it is the only copy of what was there.
 */
export async function removeTemporary(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const { request } = record;
  const left: string[] = [];
  services.runs.close(request.run);
  const namespace = moverNamespace(services, record);
  if ((await services.moverJobs.remove({ namespace, run: request.run, role: 'destination' }, signal)) !== 'Gone')
    left.push(`mover of ${request.group}`);
  const claims = [
    { namespace, name: scratchClaimName(request.run) },
    ...request.claims.map((claim) => ({
      namespace: services.agentNamespace,
      name: incomingClaimName(record.pairId, claim.namespace, claim.name),
    })),
  ];
  for (const claim of claims) {
    if ((await services.client.delete(core.persistentVolumeClaims, claim, { signal })) === undefined) continue;
    if ((await services.client.find(core.persistentVolumeClaims, claim, { signal })) !== undefined)
      left.push(`persistentvolumeclaim ${claim.namespace}/${claim.name}`);
  }
  for (const claim of request.claims)
    await abandonHandOver(services.client, incomingClaimName(record.pairId, claim.namespace, claim.name), signal);
  const keepUndo = request.overwrite || (record.applyingSince !== undefined && record.point === undefined);
  if (keepUndo) return left;
  for (const undo of await undoRequests(services, record, signal)) {
    if ((await undo.driver.snapshots?.release(undo.snapshot, signal)) === 'Releasing')
      left.push(`volumesnapshot ${undo.snapshot.key}`);
  }
  return left;
}

async function remove(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  signal: Signal,
): Promise<ReconcileResult> {
  const left = await removeTemporary(services, stored.value, signal);
  if (left.length > 0) return requeueAfter(1);
  await services.records.removeReceive(stored.value.request.run, signal);
  return awaitChange();
}

/** Makes the claims' namespace when it is not there; what else it carries comes with the resources. */
export async function ensureNamespace(
  services: DestinationServices,
  serviceAccount: string,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  if ((await services.client.find(core.namespaces, { name }, { signal })) !== undefined) return;
  try {
    await services
      .asPeer(serviceAccount)
      .create(
        core.namespaces,
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
        { fieldManager: 'stork', signal },
      );
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
