/** The snapshots of the claims of an update, cut before they are changed: the way back when an update breaks. */
import type { Driver, SnapshotRequest } from '../../../drivers/driver.ts';
import { core } from '../../../kube/client/core.ts';
import { operationLabels, undoSnapshotKey } from '../names.ts';
import type { ReceiveRecord } from '../records.ts';
import type { DestinationServices } from './destination-services.ts';

export interface UndoSnapshot {
  readonly driver: Driver;
  readonly snapshot: SnapshotRequest;
}

/** Of the claims that are there and whose storage can snapshot. */
export async function undoSnapshots(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<readonly UndoSnapshot[]> {
  if (record.request.mode === 'fresh') return [];
  const found: UndoSnapshot[] = [];
  for (const claim of record.request.claims) {
    const target = await services.client.find(core.persistentVolumeClaims, claim, { signal });
    const volume = target?.spec?.volumeName;
    if (target === undefined || volume === undefined) continue;
    const pv = await services.client.find(core.persistentVolumes, { name: volume }, { signal });
    const driver = pv === undefined ? undefined : services.driverFor({ pv: { ...pv } });
    if (driver?.snapshots === undefined) continue;
    const own = { namespace: claim.namespace, name: claim.name, uid: target.metadata.uid ?? '' };
    const key = undoSnapshotKey(record.request.run, claim.name);
    const labels = operationLabels(record.request.operation);
    found.push({ driver, snapshot: { key, volume: { claim: own, volume }, labels } });
  }
  return found;
}

/**
 * Whether they outlive the operation: after an overwrite they are the only copy of what was there, and after an update
 * that was not finished the only way back.
 */
export function keepsUndo({ request, applyingSince, point }: ReceiveRecord): boolean {
  return applyingSince !== undefined && (request.overwrite || point === undefined);
}

export interface KeptSnapshot {
  readonly namespace: string;
  readonly claim: string;
  /** The VolumeSnapshot's name. */
  readonly name: string;
  /** A claim that was deleted meanwhile: nobody knows its driver any more, nor whether that took a snapshot. */
  readonly isCertain: boolean;
}

/** What stays of a group that has ended. */
export async function listKept(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<readonly KeptSnapshot[]> {
  if (!keepsUndo(record)) return [];
  const undos = await undoSnapshots(services, record, signal);
  const known = undos.map(({ snapshot: { key, volume } }) => ({
    ...{ namespace: volume.claim.namespace, claim: volume.claim.name },
    ...{ name: key, isCertain: true },
  }));
  const others = record.request.claims.filter(({ name }) => !known.some(({ claim }) => claim === name));
  const gone = await findGone(services, others, signal);
  return [
    ...known,
    ...gone.map(({ namespace, name }) => ({
      ...{ namespace, claim: name },
      ...{ name: undoSnapshotKey(record.request.run, name), isCertain: false },
    })),
  ];
}

/** Where a person finds what was overwritten, or what an update that was not finished has changed. */
export async function describeUndo(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  return (await listKept(services, record, signal)).map((kept) => describeKept(kept, record.keptUntil));
}

export function describeKept({ namespace, claim, name, isCertain }: KeptSnapshot, until: string | undefined): string {
  const doubt = isCertain ? '' : ', if its storage has snapshots';
  const end = until === undefined ? '' : ` until ${until}`;
  return `what ${claim} held before is kept in volumesnapshot ${namespace}/${name}${end}${doubt}`;
}

/** Only those that are gone; a claim that is there and not among the snapshots has none. */
async function findGone<T extends { readonly namespace: string; readonly name: string }>(
  services: DestinationServices,
  claims: readonly T[],
  signal: AbortSignal | undefined,
): Promise<readonly T[]> {
  const found: T[] = [];
  for (const claim of claims)
    if ((await services.client.find(core.persistentVolumeClaims, claim, { signal })) === undefined) found.push(claim);
  return found;
}
