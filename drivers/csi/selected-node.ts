/**
 * Where a copy of a volume has to be made. Node-local storage (hostpath-like, LVM) can restore a snapshot or clone a volume
 * only on the node that has it; a WaitForFirstConsumer class would let the scheduler send the consuming pod elsewhere,
 * again and again. So the claim names the node beforehand, as the scheduler would, and the pod follows the volume.
 */
import { core, type PersistentVolume } from '../../kube/client/core.ts';
import { decideReachable, decideReplicas, listNodes } from '../persistent-volume.ts';
import type { CsiAccess } from './source-volume.ts';

const annotation = 'volume.kubernetes.io/selected-node';

/** Annotations for a claim that copies `source`; empty unless its data lies on one known node and the class waits. */
export async function placeCopy(
  { client }: CsiAccess,
  source: PersistentVolume,
  storageClass: string,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  if (source.spec?.nodeAffinity?.required === undefined) return {};
  const found = await client.find(core.storageClasses, { name: storageClass }, { signal });
  if (found?.volumeBindingMode !== 'WaitForFirstConsumer') return {};
  const [node] = decideReplicas(source, decideReachable(source, await listNodes(client, signal)));
  return node === undefined ? {} : { [annotation]: node };
}
