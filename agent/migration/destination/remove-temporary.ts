/** Removes what receiving a group has made for itself on the destination. Repeatable; names what is still there. */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import { core } from '../../../kube/client/core.ts';
import { isNotFound } from '../../../kube/errors.ts';
import { incomingClaimName, undoSnapshotKey } from '../names.ts';
import type { ReceiveRecord } from '../records.ts';
import type { DestinationServices } from './destination-services.ts';
import { moverNamespace } from './gather-receive-facts.ts';
import { abandonHandOver, letVolumeGo } from './hand-over.ts';
import { unlockClaims } from './lock-claims.ts';
import { removeScratch } from './receive-steps.ts';
import { releaseUnclaimed } from './release-unclaimed.ts';
import { keepsUndo, undoSnapshots } from './undo-snapshots.ts';

/** Movers, staging, new volumes that nobody got, and the snapshots that no way back leads to. */
export async function removeTemporary(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const { request } = record;
  services.runs.close(request.run);
  const namespace = moverNamespace(services, record);
  const mover = await services.moverJobs.remove({ namespace, run: request.run, role: 'destination' }, signal);
  const left = mover === 'Gone' ? [] : [`mover of ${request.group}`];
  if (mover === 'Gone') await unlockClaims(services.client, record, signal);
  if (request.mode === 'fresh') return [...left, ...(await removeIncoming(services, record, signal))];
  if ((await removeScratch(services, record, signal)) !== 'Gone') left.push(`the staging volume of ${request.group}`);
  if (keepsUndo(record)) return left;
  return [...left, ...(await releaseUndo(services, record, signal))];
}

async function removeIncoming(
  services: DestinationServices,
  { request }: ReceiveRecord,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const { client, agentNamespace } = services;
  const left: string[] = [];
  for (const to of request.claims) {
    const from = { namespace: agentNamespace, name: incomingClaimName(request.run, to.namespace, to.name) };
    await abandonHandOver(client, { from, to }, signal);
    await letVolumeGo(client, from, signal);
    if ((await client.delete(core.persistentVolumeClaims, from, { signal })) === undefined) continue;
    if ((await client.find(core.persistentVolumeClaims, from, { signal })) !== undefined)
      left.push(`persistentvolumeclaim ${from.namespace}/${from.name}`);
  }
  return left;
}

/** The snapshots of before an update; what somebody has taken over by taking our label off stays. */
export async function releaseUndo(
  services: DestinationServices,
  record: ReceiveRecord,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const left: string[] = [];
  const undos = await undoSnapshots(services, record, signal);
  for (const { namespace, name } of record.request.claims) {
    const key = { namespace, name: undoSnapshotKey(record.request.run, name) };
    if (await isTakenOver(services, key, signal)) continue;
    const undo = undos.find(({ snapshot }) => snapshot.key === key.name);
    if ((await undo?.driver.snapshots?.release(undo.snapshot, signal)) === 'Releasing')
      left.push(`volumesnapshot ${namespace}/${key.name}`);
    // Of a claim that was deleted meanwhile, or made anew: the driver knows its own by the claim.
    else left.push(...(await releaseUnclaimed(services.client, { key, operation: record.request.operation }, signal)));
  }
  return left;
}

async function isTakenOver(
  { client }: DestinationServices,
  key: { readonly namespace: string; readonly name: string },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const found = await client.find(core.volumeSnapshots, key, { signal }).catch(onlyMissing);
  return found !== undefined && !isManagedByAgent(found.metadata);
}

/** A cluster without external-snapshotter has no such kind, and nothing of it to remove. */
function onlyMissing(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
