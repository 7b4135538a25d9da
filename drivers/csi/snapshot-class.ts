/** Which VolumeSnapshotClass a snapshot takes: the one asked for, else the driver's default, else its only one. */
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type VolumeSnapshotClass } from '../../kube/client/core.ts';
import { isNotFound, StorkError } from '../../kube/errors.ts';

const defaultAnnotation = 'snapshot.storage.kubernetes.io/is-default-class';

/** @throws StorkError `SnapshotSupportMissing` (no snapshot CRDs), `SnapshotClassMissing`, `SnapshotClassAmbiguous` */
export async function chooseSnapshotClass(
  client: KubeClient,
  provisioner: string,
  wanted: string | undefined,
  signal?: AbortSignal,
): Promise<string> {
  const classes: VolumeSnapshotClass[] = [];
  try {
    for await (const found of client.list(core.volumeSnapshotClasses, { signal })) classes.push(found);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new StorkError({
      code: 'SnapshotSupportMissing',
      message: 'this cluster has no VolumeSnapshot API (snapshot.storage.k8s.io)',
      about: `driver ${provisioner}`,
      hint: 'Install the CRDs and the snapshot-controller of kubernetes-csi/external-snapshotter.',
      cause: error,
    });
  }
  return decideSnapshotClass(classes, provisioner, wanted);
}

export function decideSnapshotClass(
  classes: readonly VolumeSnapshotClass[],
  provisioner: string,
  wanted: string | undefined,
): string {
  const ours = classes.filter((candidate) => candidate.driver === provisioner);
  const names = (list: readonly VolumeSnapshotClass[]) => list.map((one) => one.metadata.name).toSorted();
  if (wanted !== undefined) {
    if (names(ours).includes(wanted)) return wanted;
    const other = classes.find((candidate) => candidate.metadata.name === wanted);
    throw new StorkError({
      code: 'SnapshotClassMissing',
      message:
        other === undefined
          ? `VolumeSnapshotClass ${wanted} does not exist`
          : `VolumeSnapshotClass ${wanted} is for driver ${other.driver}, the volume belongs to ${provisioner}`,
      about: `volumesnapshotclass/${wanted}`,
      hint: `Classes for ${provisioner}: ${names(ours).join(', ') || 'none'}.`,
    });
  }
  const defaults = ours.filter((candidate) => candidate.metadata.annotations?.[defaultAnnotation] === 'true');
  const [chosen, ...more] = defaults.length > 0 ? defaults : ours;
  if (chosen === undefined)
    throw new StorkError({
      code: 'SnapshotClassMissing',
      message: `no VolumeSnapshotClass has driver ${provisioner}`,
      about: `driver ${provisioner}`,
      hint: `Create a VolumeSnapshotClass with driver: ${provisioner} and deletionPolicy: Delete.`,
    });
  if (more.length > 0)
    throw new StorkError({
      code: 'SnapshotClassAmbiguous',
      message: `driver ${provisioner} has several VolumeSnapshotClasses and ${defaults.length === 0 ? 'no' : 'more than one'} default`,
      about: `driver ${provisioner}`,
      hint: `Annotate one of ${names(ours).join(', ')} with ${defaultAnnotation}=true, or name one in the request.`,
    });
  return chosen.metadata.name;
}
