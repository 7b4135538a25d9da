/**
 * Only the leader serves peers and movers: both Services select the pod that carries this label. A new leader takes it
 * from whoever had it, then marks itself.
 */
import { agentName, leaderLabel } from '../crds/agent-names.ts';
import type { KubeClient } from '../kube/client/client.ts';
import { core } from '../kube/client/core.ts';

export async function takeLeaderLabel(
  client: KubeClient,
  self: { readonly namespace: string; readonly pod: string },
  signal?: AbortSignal,
): Promise<void> {
  const labelSelector = `${leaderLabel}=true`;
  for await (const pod of client.list(core.pods, { namespace: self.namespace, labelSelector, signal })) {
    if (pod.metadata.name !== self.pod) await setLabel(client, { ...self, pod: pod.metadata.name }, null, signal);
  }
  await setLabel(client, self, 'true', signal);
}

async function setLabel(
  client: KubeClient,
  target: { readonly namespace: string; readonly pod: string },
  value: string | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  const body = { metadata: { labels: { [leaderLabel]: value } } };
  const key = { namespace: target.namespace, name: target.pod };
  await client.patch(core.pods, key, { type: 'merge', body }, { fieldManager: agentName, signal });
}
