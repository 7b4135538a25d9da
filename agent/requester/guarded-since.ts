/** Since when admission marks operations with their requester. */
import { isManagedByAgent, webhookName } from '../../crds/agent-names.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';

/** When the younger of both webhook configurations was made; `undefined` when one is missing or somebody else's. */
export async function findGuardedSince(client: KubeClient, signal?: AbortSignal): Promise<Date | undefined> {
  const key = { name: webhookName };
  const mutating = await client.find(core.mutatingWebhookConfigurations, key, { signal });
  const validating = await client.find(core.validatingWebhookConfigurations, key, { signal });
  const times: number[] = [];
  for (const guard of [mutating, validating]) {
    if (guard === undefined || !isManagedByAgent(guard.metadata)) return undefined;
    times.push(Date.parse(guard.metadata.creationTimestamp ?? ''));
  }
  const youngest = Math.max(...times);
  return Number.isNaN(youngest) ? undefined : new Date(youngest);
}
