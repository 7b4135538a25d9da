import { agentName } from '../../../crds/agent-names.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolume } from '../../../kube/client/core.ts';

/** On exactly the version that was read. A merge patch, because a failed JSON `test` is told as an invalid object. */
export async function patchVolume(
  client: KubeClient,
  volume: PersistentVolume,
  change: { readonly metadata?: object; readonly spec: object },
  signal: AbortSignal | undefined,
): Promise<void> {
  const { name, resourceVersion } = volume.metadata;
  const body = { ...change, metadata: { ...change.metadata, resourceVersion } };
  await client.patch(core.persistentVolumes, { name }, { type: 'merge', body }, { fieldManager: agentName, signal });
}
