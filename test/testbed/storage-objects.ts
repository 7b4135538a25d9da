/** The API objects of a cluster's storage: driver, classes, and static local volumes. Pure. */
import { csiDriverName, volumesFolder } from './node-configs.ts';
import type { ClusterPlan, NodePlan } from './plan.ts';

export const storageClasses = { immediate: 'stork-csi', waiting: 'stork-csi-wffc', local: 'stork-local' } as const;
export const snapshotClass = 'stork-csi';

export const localVolumesPerNode = 2;

/** Where a static local volume lies inside its node. */
export function localVolumeFolder(number: number): string {
  return `${volumesFolder}/local/${number}`;
}

export function planStorageObjects(cluster: ClusterPlan): readonly object[] {
  return [
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIDriver',
      metadata: { name: csiDriverName },
      spec: {
        attachRequired: true,
        podInfoOnMount: false,
        fsGroupPolicy: 'File',
        volumeLifecycleModes: ['Persistent'],
      },
    },
    {
      ...planClass(storageClasses.immediate, csiDriverName, 'Immediate'),
      metadata: {
        name: storageClasses.immediate,
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
    },
    planClass(storageClasses.waiting, csiDriverName, 'WaitForFirstConsumer'),
    {
      ...planClass(storageClasses.local, 'kubernetes.io/no-provisioner', 'WaitForFirstConsumer'),
      allowVolumeExpansion: false,
      reclaimPolicy: 'Retain',
    },
    {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshotClass',
      metadata: { name: snapshotClass, annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } },
      driver: csiDriverName,
      deletionPolicy: 'Delete',
    },
    ...cluster.nodes.flatMap((node) =>
      Array.from({ length: localVolumesPerNode }, (_, index) => planLocalVolume(node, index + 1)),
    ),
  ];
}

function planClass(name: string, provisioner: string, volumeBindingMode: string): object {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner,
    volumeBindingMode,
    reclaimPolicy: 'Delete',
    allowVolumeExpansion: true,
  };
}

function planLocalVolume(node: NodePlan, number: number): object {
  const isOnNode = { key: 'kubernetes.io/hostname', operator: 'In', values: [node.name] };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `local-${node.name}-${number}` },
    spec: {
      capacity: { storage: '2Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: storageClasses.local,
      local: { path: localVolumeFolder(number) },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isOnNode] }] } },
    },
  };
}
