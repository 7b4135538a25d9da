/**
 * Keeps pods from mounting volumes while an update is applied to them. For that time a PersistentVolume is ReadWriteOncePod: the
 * kubelet lets no second pod mount it beside our mover, and no second node gets it attached. A pod that is started meanwhile
 * waits in ContainerCreating and starts when the update is done.
 */
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolume } from '../../../kube/client/core.ts';
import type { ReceiveRecord } from '../records.ts';
import { patchVolume } from './patch-volume.ts';

export const lockLabel = 'stork.libopenstorage.org/updated-by';
/** The access modes that come back, separated by commas. */
const modesAnnotation = 'stork.libopenstorage.org/updated-access-modes';

/** Idempotent. Resolves with the names of the claims' volumes. */
export async function lockClaims(
  client: KubeClient,
  { request }: ReceiveRecord,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const volumes: string[] = [];
  for (const claim of request.claims) {
    const { spec } = await client.get(core.persistentVolumeClaims, claim, { signal });
    const name = spec?.volumeName ?? '';
    const volume = await client.get(core.persistentVolumes, { name }, { signal });
    volumes.push(name);
    if (volume.metadata.labels?.[lockLabel] === request.run) continue;
    const metadata = {
      labels: { [lockLabel]: request.run },
      annotations: { [modesAnnotation]: modesOf(volume).join(',') },
    };
    await patchVolume(client, volume, { metadata, spec: { accessModes: ['ReadWriteOncePod'] } }, signal);
  }
  return volumes;
}

/** An update that was given up may have left its lock: what it was before is what its annotation says. */
function modesOf({ metadata, spec }: PersistentVolume): readonly string[] {
  return metadata.annotations?.[modesAnnotation]?.split(',') ?? spec?.accessModes ?? [];
}

/** Idempotent; finds the volumes by their label, as their claims may be gone. */
export async function unlockClaims(
  client: KubeClient,
  { request }: ReceiveRecord,
  signal?: AbortSignal,
): Promise<void> {
  const labelSelector = `${lockLabel}=${request.run}`;
  for await (const volume of client.list(core.persistentVolumes, { labelSelector, signal })) {
    const metadata = { labels: { [lockLabel]: null }, annotations: { [modesAnnotation]: null } };
    await patchVolume(client, volume, { metadata, spec: { accessModes: modesOf(volume) } }, signal);
  }
}
