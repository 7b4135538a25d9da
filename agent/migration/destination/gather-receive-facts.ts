/** Reads what decideReceive needs to know about one incoming group on this cluster. */
import { core, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { parseBytes } from '../../../kube/quantity.ts';
import { type MoverResult, parseMoverResult } from '../../mover/contract.ts';
import { isRootAdmitted } from '../find-identity.ts';
import type { IncomingVolume } from '../messages.ts';
import { incomingClaimName, scratchClaimName } from '../names.ts';
import type { ReceiveRecord } from '../records.ts';
import type { ReceiveClaimFacts, ReceiveFacts } from './decide-receive.ts';
import { type DestinationServices, scratchSize } from './destination-services.ts';
import { type ClaimUse, findUse } from './find-use.ts';
import { roomOf } from './grow-claims.ts';
import { handOverLabel } from './hand-over.ts';

export interface ReceiveSight {
  readonly facts: ReceiveFacts;
  readonly result: MoverResult | undefined;
}

/** Where the group's mover runs: fresh volumes are filled in the agent's namespace, existing ones where they are. */
export function moverNamespace(services: DestinationServices, record: ReceiveRecord): string {
  if (record.request.mode === 'fresh') return services.agentNamespace;
  return record.request.claims[0]?.namespace ?? services.agentNamespace;
}

/** Reads no more than the next decision needs: while the mover works, that is little besides the mover. */
export async function gatherReceiveFacts(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<ReceiveSight> {
  const { request } = record;
  const { mode } = request;
  const result = record.result === undefined ? undefined : parseMoverResult(record.result);
  const namespace = moverNamespace(services, record);
  const mover = await services.moverJobs.look({ namespace, run: request.run, role: 'destination' }, signal);
  const atWork = result === undefined && mover.job !== 'Missing';
  const claims: ReceiveClaimFacts[] = [];
  for (const claim of mode === 'fresh' && atWork ? [] : request.claims)
    claims.push(await claimFacts(services, record, claim, signal));
  // While it is staged anybody may use the volumes; when it is about to be written, and while it is, nobody may.
  const mayWrite = mode === 'update' && result === undefined;
  const use = mayWrite ? await findUse(services.client, request.claims, signal) : nobody;
  const scratch = mode === 'update' ? await findScratch(services, record, signal) : undefined;
  const onNode = mode === 'update' ? await scratchOnNode(services, record, signal) : undefined;
  return {
    result,
    facts: {
      mode,
      overwrite: request.overwrite ? 'Overwrite' : 'Refuse',
      applying: record.applyingSince === undefined ? 'No' : 'Yes',
      result,
      claims,
      job: mover.job,
      jobResult: mover.result,
      jobFailure: mover.failure,
      jobRedoes: mover.redoes,
      scratchBytes: scratch === undefined ? onNode : sizeOf(scratch),
      wantedScratchBytes: record.wantedScratchBytes,
      activePods: use.active,
      mountingPods: use.mounting,
    },
  };
}

const nobody: ClaimUse = { active: [], mounting: [] };

/**
 * A mover that isn't root stages on its node, however much that is: of a claim it would need a group from the kubelet, which
 * would give that group to the volumes, too.
 */
async function scratchOnNode(
  services: DestinationServices,
  record: ReceiveRecord,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  if (record.wantedScratchBytes === undefined) return undefined;
  const isRoot = await isRootAdmitted(services.client, moverNamespace(services, record), signal);
  return isRoot ? undefined : scratchSize(record.wantedScratchBytes);
}

async function findScratch(services: DestinationServices, record: ReceiveRecord, signal: AbortSignal | undefined) {
  const key = { namespace: moverNamespace(services, record), name: scratchClaimName(record.request.run) };
  return await services.client.find(core.persistentVolumeClaims, key, { signal });
}

async function claimFacts(
  services: DestinationServices,
  record: ReceiveRecord,
  claim: IncomingVolume,
  signal: AbortSignal | undefined,
): Promise<ReceiveClaimFacts> {
  const { operation, run, mode } = record.request;
  const name = incomingClaimName(run, claim.namespace, claim.name);
  const isNew = mode === 'fresh';
  const own = { namespace: services.agentNamespace, name };
  const incoming = isNew ? await services.client.find(core.persistentVolumeClaims, own, { signal }) : undefined;
  const target = await services.client.find(core.persistentVolumeClaims, claim, { signal });
  const isDone = record.result !== undefined;
  const memory = isDone ? await services.records.findClaim(claim.namespace, claim.name, signal) : undefined;
  const isReached = isDone && incoming === undefined && target !== undefined;
  const handedOver = isReached && !(isNew && (await isMoving(services, name, signal)));
  return {
    name: claim.name,
    incoming: phaseOf(incoming),
    target: targetPhase(target),
    room: isNew || target === undefined ? 'Enough' : roomOf(target, BigInt(claim.sizeBytes)),
    handedOver: handedOver ? 'Yes' : 'No',
    remembered: memory?.operation === operation && memory.role === 'Destination' ? 'Yes' : 'No',
  };
}

function targetPhase(claim: PersistentVolumeClaim | undefined): ReceiveClaimFacts['target'] {
  if (claim === undefined) return 'Missing';
  if (claim.metadata.deletionTimestamp !== undefined) return 'Pending';
  return claim.status?.phase === 'Bound' ? 'Bound' : 'Pending';
}

async function isMoving(
  services: DestinationServices,
  name: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for await (const _ of services.client.list(core.persistentVolumes, {
    labelSelector: `${handOverLabel}=${name}`,
    signal,
  }))
    return true;
  return false;
}

function phaseOf(claim: PersistentVolumeClaim | undefined): ReceiveClaimFacts['incoming'] {
  if (claim === undefined) return 'Missing';
  const { phase } = claim.status ?? {};
  return phase === 'Bound' || phase === 'Lost' ? phase : 'Pending';
}

const sizeOf = (claim: PersistentVolumeClaim): number =>
  Number(parseBytes(claim.spec?.resources?.requests?.storage ?? '0'));
