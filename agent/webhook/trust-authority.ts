/**
 * Writes our authority into the webhook configurations, so that API servers trust the replicas' certificates. Only what
 * differs is written, on exactly the version that was read.
 */
import { agentName, isManagedByAgent, webhookName } from '../../crds/agent-names.ts';
import type { JsonPatchOperation, KubeClient, Resource } from '../../kube/client/client.ts';
import {
  core,
  type MutatingWebhookConfiguration,
  type ValidatingWebhookConfiguration,
} from '../../kube/client/core.ts';

export type Guard = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

const guards: readonly Resource<Guard>[] = [core.mutatingWebhookConfigurations, core.validatingWebhookConfigurations];

/** `Missing`: one of the two isn't there, or isn't ours. */
export async function trustAuthority(
  client: KubeClient,
  authority: string,
  signal?: AbortSignal,
): Promise<{ readonly state: 'Trusted' | 'Missing' }> {
  let state: 'Trusted' | 'Missing' = 'Trusted';
  for (const resource of guards) {
    const found = await client.find(resource, { name: webhookName }, { signal });
    if (found === undefined || !isManagedByAgent(found.metadata)) {
      state = 'Missing';
      continue;
    }
    const body = planTrust(found, authority);
    if (body.length > 0)
      await client.patch(resource, { name: webhookName }, { type: 'json', body }, { fieldManager: agentName, signal });
  }
  return { state };
}

/** Empty when every webhook trusts the authority. */
export function planTrust(guard: Guard, authority: string): readonly JsonPatchOperation[] {
  const caBundle = Buffer.from(authority).toString('base64');
  const changes = (guard.webhooks ?? []).flatMap(({ clientConfig }, index): readonly JsonPatchOperation[] =>
    clientConfig.caBundle === caBundle
      ? []
      : [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }],
  );
  if (changes.length === 0) return [];
  return [{ op: 'test', path: '/metadata/resourceVersion', value: guard.metadata.resourceVersion }, ...changes];
}
