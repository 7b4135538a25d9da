/** Reads what decideReceive needs to know about one incoming group on this cluster. */
import { core, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { parseBytes } from '../../../kube/quantity.ts';
import { type MoverResult, parseMoverResult } from '../../mover/contract.ts';
import type { IncomingVolume } from '../messages.ts';
import { incomingClaimName, scratchClaimName } from '../names.ts';
import type { ReceiveRecord } from '../records.ts';
import type { ReceiveClaimFacts, ReceiveFacts } from './decide-receive.ts';
import type { DestinationServices } from './destination-services.ts';
import { gatherClusterFacts } from './gather-claim-facts.ts';
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

export async function gatherReceiveFacts(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<ReceiveSight> {
  const { request } = record;
  const result = record.result === undefined ? undefined : parseMoverResult(record.result);
  const namespace = moverNamespace(services, record);
  const mover = await services.moverJobs.look({ namespace, run: request.run, role: 'destination' }, signal);
  const claims: ReceiveClaimFacts[] = [];
  for (const claim of request.claims) claims.push(await claimFacts(services, record, claim, signal));
  const namespaces = [...new Set(request.claims.map((claim) => claim.namespace))];
  const cluster = await gatherClusterFacts(services.client, services.records, namespaces, signal);
  const activePods = request.claims.flatMap(
    (claim) => cluster.podsByClaim.get(`${claim.namespace}/${claim.name}`) ?? [],
  );
  const scratch = await services.client.find(
    core.persistentVolumeClaims,
    { namespace, name: scratchClaimName(request.run) },
    { signal },
  );
  return {
    result,
    facts: {
      mode: request.mode,
      overwrite: request.overwrite ? 'Overwrite' : 'Refuse',
      result,
      claims,
      job: mover.job,
      jobResult: mover.result,
      jobFailure: mover.failure,
      scratchBytes: scratch === undefined ? undefined : sizeOf(scratch),
      wantedScratchBytes: record.wantedScratchBytes,
      activePods: [...new Set(activePods)],
    },
  };
}

async function claimFacts(
  services: DestinationServices,
  record: ReceiveRecord,
  claim: IncomingVolume,
  signal: AbortSignal | undefined,
): Promise<ReceiveClaimFacts> {
  const name = incomingClaimName(record.pairId, claim.namespace, claim.name);
  const incoming = await services.client.find(
    core.persistentVolumeClaims,
    { namespace: services.agentNamespace, name },
    { signal },
  );
  const target = await services.client.find(core.persistentVolumeClaims, claim, { signal });
  const memory = await services.records.findClaim(claim.namespace, claim.name, signal);
  const moving = await isMoving(services, name, signal);
  const handedOver = incoming === undefined && !moving && target !== undefined;
  return {
    name: claim.name,
    incoming: phaseOf(incoming),
    target: target === undefined ? 'Missing' : target.status?.phase === 'Bound' ? 'Bound' : 'Pending',
    handedOver: handedOver ? 'Yes' : 'No',
    remembered: memory?.operation === record.request.operation && memory.role === 'Destination' ? 'Yes' : 'No',
  };
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
