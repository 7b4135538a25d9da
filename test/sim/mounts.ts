/**
 * Which pod has which volume: one node at a time (all volumes here are ReadWriteOnce), and where a volume says
 * ReadWriteOncePod, one pod at a time. Who can't have it waits.
 */
import type { FakeCluster } from '../../agent/migration/testing/two-clusters.ts';
import { core, type Pod } from '../../kube/client/core.ts';
import { claimsOf } from './mover-order.ts';

export interface Mounts {
  /** Mounts all of a pod's volumes or none; whether it has them. */
  mount(pod: Pod): Promise<boolean>;
  unmount(pod: Pod): void;
  /** Unmounts what pods had that are not there any more: ended ones are deleted without their kubelet's doing. */
  forgetOthers(pods: readonly Pod[]): void;
}

interface Mounted {
  readonly node: string | undefined;
  readonly volumes: readonly string[];
}

export function createMounts({ client, world }: FakeCluster): Mounts {
  const mounted = new Map<string | undefined, Mounted>();
  const isFree = async (volume: string, pod: Pod): Promise<boolean> => {
    const others = [...mounted.values()].filter(({ volumes }) => volumes.includes(volume));
    if (others.length === 0) return true;
    const { spec } = await client.get(core.persistentVolumes, { name: volume });
    if (spec?.accessModes?.includes('ReadWriteOncePod') === true) return false;
    return others.every(({ node }) => node === pod.spec?.nodeName);
  };
  return {
    async mount(pod) {
      if (mounted.has(pod.metadata.uid)) return true;
      const namespace = pod.metadata.namespace ?? '';
      const volumes: string[] = [];
      for (const name of claimsOf(pod)) {
        if (world.storage.claims.has(`${namespace}/${name}`)) continue;
        const claim = await client.find(core.persistentVolumeClaims, { namespace, name });
        const volume = claim?.spec?.volumeName;
        if (claim?.status?.phase !== 'Bound' || volume === undefined || !(await isFree(volume, pod))) return false;
        volumes.push(volume);
      }
      mounted.set(pod.metadata.uid, { node: pod.spec?.nodeName, volumes });
      return true;
    },
    unmount: (pod) => void mounted.delete(pod.metadata.uid),
    forgetOthers(pods) {
      const present = new Set(pods.map(({ metadata }) => metadata.uid));
      for (const uid of mounted.keys()) if (!present.has(uid)) mounted.delete(uid);
    },
  };
}
