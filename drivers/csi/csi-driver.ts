/**
 * Any CSI driver, known through the Kubernetes API alone: ownership by PersistentVolume, node health by CSINode and the
 * plugin's pods, locality by node affinity, snapshots by snapshot.storage.k8s.io/v1, clones and resizes by claims.
 * One value per provisioner. It can't tell Degraded, nor replicas that the affinity doesn't show: a vendor's driver can.
 */
import type { KubeClient } from '../../kube/client/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Driver } from '../driver.ts';
import { assertPersistentVolume, assertStorageClass, inspectPersistentVolumes } from '../persistent-volume.ts';
import { cloneFacet } from './clone.ts';
import { addUsedBytes } from './kubelet-usage.ts';
import { listStorageNodes } from './node-status.ts';
import { resizeFacet } from './resize.ts';
import { snapshotsFacet } from './snapshots.ts';

export interface CsiDriverOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** The CSI driver's name, as in `pv.spec.csi.driver` and `storageClass.provisioner`. */
  readonly provisioner: string;
  /** Whether `inspect` asks kubelets for used bytes (needs get on nodes/proxy; without it they stay undefined). */
  readonly usage?: 'Kubelet' | 'None' | undefined;
}

export function csiDriver(options: CsiDriverOptions): Driver {
  const { client, clock, provisioner, usage = 'Kubelet' } = options;
  return {
    name: 'csi',
    owns({ pv, storageClass }) {
      if (pv !== undefined) return assertPersistentVolume(pv).spec?.csi?.driver === provisioner;
      return storageClass !== undefined && assertStorageClass(storageClass).provisioner === provisioner;
    },
    nodes: (signal) => listStorageNodes(client, provisioner, signal),
    async inspect(volumes, signal) {
      const owns = (pv: Parameters<typeof isOfDriver>[0]) => isOfDriver(pv, provisioner);
      const facts = await inspectPersistentVolumes({ client, volumes, owns, signal });
      return usage === 'None' ? facts : await addUsedBytes({ client, clock, facts, signal });
    },
    snapshots: snapshotsFacet({ client, provisioner }),
    clone: cloneFacet({ client, provisioner }),
    resize: resizeFacet({ client, provisioner }),
  };
}

function isOfDriver(pv: ReturnType<typeof assertPersistentVolume>, provisioner: string): boolean {
  return pv.spec?.csi?.driver === provisioner;
}
