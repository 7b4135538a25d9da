/**
 * Volumes that are a folder or disk of one node: static local volumes, hostPath, local-path-provisioner. The node lost is
 * the data lost until it returns, so there is nothing to fail over to; no snapshots, clones or resizes either.
 */
import type { KubeClient } from '../../kube/client/client.ts';
import type { PersistentVolume } from '../../kube/client/core.ts';
import type { Driver, StorageNode } from '../driver.ts';
import {
  assertPersistentVolume,
  assertStorageClass,
  inspectPersistentVolumes,
  listNodes,
  type NodeRecord,
} from '../persistent-volume.ts';

const provisioners: ReadonlySet<string> = new Set(['kubernetes.io/no-provisioner', 'rancher.io/local-path']);

export function localDriver(options: { readonly client: KubeClient }): Driver {
  const { client } = options;
  return {
    name: 'local',
    owns({ pv, storageClass }) {
      if (pv !== undefined) return isLocal(assertPersistentVolume(pv));
      return storageClass !== undefined && provisioners.has(assertStorageClass(storageClass).provisioner);
    },
    nodes: async (signal) => (await listNodes(client, signal)).map(storageNode),
    inspect: (volumes, signal) => inspectPersistentVolumes({ client, volumes, owns: isLocal, signal }),
  };
}

function isLocal(pv: PersistentVolume): boolean {
  return pv.spec?.local !== undefined || pv.spec?.hostPath !== undefined;
}

function storageNode(node: NodeRecord): StorageNode {
  return {
    node: node.name,
    status: node.ready === 'Yes' ? 'Online' : 'Offline',
    reason: node.ready === 'Yes' ? '' : 'the node is not Ready',
    zone: node.labels['topology.kubernetes.io/zone'],
    region: node.labels['topology.kubernetes.io/region'],
    rack: node.labels['topology.kubernetes.io/rack'],
  };
}
