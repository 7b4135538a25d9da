/** The claim and PersistentVolume that a request names, checked to be still the ones it means. */
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type PersistentVolume, type PersistentVolumeClaim } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import type { VolumeRef } from '../driver.ts';

export interface CsiAccess {
  readonly client: KubeClient;
  readonly provisioner: string;
}

export interface SourceVolume {
  readonly claim: PersistentVolumeClaim;
  readonly pv: PersistentVolume;
}

/** @throws StorkError `VolumeUnknown` when the claim is gone, was made anew, or is bound to another volume or driver */
export async function getSourceVolume(
  { client, provisioner }: CsiAccess,
  volume: VolumeRef,
  signal?: AbortSignal,
): Promise<SourceVolume> {
  const { namespace, name, uid } = volume.claim;
  const claim = await client.find(core.persistentVolumeClaims, { namespace, name }, { signal });
  const pv = await client.find(core.persistentVolumes, { name: volume.volume }, { signal });
  const unknown = (message: string) =>
    new StorkError({
      code: 'VolumeUnknown',
      message,
      about: `persistentvolumeclaim ${namespace}/${name}`,
      hint: 'Start the operation again: it looks the claims up anew.',
    });
  if (claim === undefined || claim.metadata.uid !== uid)
    throw unknown(`claim ${namespace}/${name} is gone or was made anew`);
  if (pv === undefined || claim.spec?.volumeName !== volume.volume)
    throw unknown(`claim ${namespace}/${name} is not bound to volume ${volume.volume}`);
  if (pv.spec?.csi?.driver !== provisioner)
    throw unknown(`volume ${volume.volume} does not belong to driver ${provisioner}`);
  return { claim, pv };
}
