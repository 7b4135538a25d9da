/** Growing a volume by its claim's request. Never shrinks: CSI can't, and asking would be refused late and unclearly. */
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { parseBytes } from '../../kube/quantity.ts';
import type { ResizeFacet } from '../driver.ts';
import { type CsiAccess, getSourceVolume } from './source-volume.ts';

export function resizeFacet(access: CsiAccess): ResizeFacet {
  return {
    async ensure(volume, sizeBytes, signal) {
      const { claim } = await getSourceVolume(access, volume, signal);
      const about = `persistentvolumeclaim ${volume.claim.namespace}/${volume.claim.name}`;
      const haveBytes = parseBytes(claim.status?.capacity?.storage ?? '0');
      if (haveBytes >= sizeBytes) {
        if (haveBytes === sizeBytes) return 'Done';
        throw new StorkError({ code: 'ShrinkRefused', message: `the volume has ${haveBytes} bytes already`, about });
      }
      const asked = parseBytes(claim.spec?.resources?.requests?.storage ?? '0');
      if (asked >= sizeBytes) return 'Pending';
      await refuseFixedSize(access, claim.spec?.storageClassName, about, signal);
      const { namespace, name, uid, resourceVersion } = claim.metadata;
      const body = {
        metadata: { uid, resourceVersion },
        spec: { resources: { requests: { storage: `${sizeBytes}` } } },
      };
      await access.client.patch(core.persistentVolumeClaims, { namespace, name }, { type: 'merge', body }, { signal });
      return 'Pending';
    },
  };
}

async function refuseFixedSize(
  { client }: CsiAccess,
  className: string | undefined,
  about: string,
  signal?: AbortSignal,
): Promise<void> {
  const storageClass =
    className === undefined || className === ''
      ? undefined
      : await client.find(core.storageClasses, { name: className }, { signal });
  if (storageClass?.allowVolumeExpansion === true) return;
  throw new StorkError({
    code: 'ExpansionNotAllowed',
    message: `StorageClass ${className ?? '(none)'} does not allow volume expansion`,
    about,
    hint: 'Set allowVolumeExpansion: true on the StorageClass if its driver supports it.',
  });
}
