/** A claim that is updated follows its source in size. Growing never touches what is on it; shrinking is never asked for. */
import { core, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { StorkError } from '../../../kube/errors.ts';
import { parseBytes } from '../../../kube/quantity.ts';
import type { ReceiveRecord } from '../records.ts';
import type { DestinationServices } from './destination-services.ts';

/** `Growing`: asked for, and storage is at it. What only waits for a pod to mount the volume is `Enough`: our mover is one. */
export type ClaimRoom = 'Enough' | 'TooSmall' | 'Growing';

export function roomOf(claim: PersistentVolumeClaim, wantedBytes: bigint): ClaimRoom {
  const { spec, status } = claim;
  if (parseBytes(status?.capacity?.storage ?? '0') >= wantedBytes) return 'Enough';
  if (parseBytes(spec?.resources?.requests?.storage ?? '0') < wantedBytes) return 'TooSmall';
  const waitsForPod = status?.conditions?.some(
    ({ type, status: holds }) => type === 'FileSystemResizePending' && holds === 'True',
  );
  return waitsForPod === true ? 'Enough' : 'Growing';
}

/** Asks for the source's size; idempotent. @throws StorkError `DestinationTooSmall` */
export async function growClaims(
  services: DestinationServices,
  { request }: ReceiveRecord,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  for (const { namespace, name, sizeBytes } of request.claims.filter((claim) => names.includes(claim.name))) {
    const key = { namespace, name };
    const claim = await services.client.get(core.persistentVolumeClaims, key, { signal });
    const volume = claim.spec?.volumeName ?? '';
    const pv = await services.client.get(core.persistentVolumes, { name: volume }, { signal });
    const resize = services.driverFor({ pv: { ...pv } })?.resize;
    if (resize === undefined)
      throw new StorkError({
        code: 'DestinationTooSmall',
        message: `persistentvolumeclaim ${namespace}/${name} is smaller than its source, and its storage can't grow it`,
        about: `persistentvolumeclaim ${namespace}/${name}`,
        hint: 'Delete it on the destination if it is not needed, then migrate again.',
      });
    await resize.ensure({ claim: { ...key, uid: claim.metadata.uid ?? '' }, volume }, BigInt(sizeBytes), signal);
  }
}
