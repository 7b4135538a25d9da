/**
 * Proves that admission works, from the API server to an agent's replica and back: a Migration that is only tried out comes
 * back with its requester. Repeatable; nothing is kept.
 */
import { guardSettlesMs, requesterAnnotation, webhookName } from '../../crds/agent-names.ts';
import { applyDefaults } from '../../crds/schema/index.ts';
import { type Migration, migrations } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { ApiError, renderError, StorkError } from '../../kube/errors.ts';
import type { InstallWork } from './apply-install.ts';

const pollMs = 500;

/** @throws StorkError `WebhookUnreachable` with what the API server says */
export async function waitForWebhook(
  work: InstallWork,
  agent: { readonly namespace: string; readonly timeoutMs: number },
): Promise<void> {
  const { clock, signal } = work;
  const deadlineMs = clock.monotonicMs() + agent.timeoutMs;
  for (;;) {
    const trouble = await findTrouble(work, agent.namespace);
    if (trouble === undefined) return;
    if (clock.monotonicMs() > deadlineMs)
      throw new StorkError({
        code: 'WebhookUnreachable',
        message: `admission of migrations does not work: ${trouble}`,
        hint: `The API server must reach the Service ${agent.namespace}/${webhookName}, port 9444 of the agent's pods: look for a firewall or a network policy between them.`,
      });
    await clock.sleep(pollMs, signal);
  }
}

async function findTrouble(work: InstallWork, namespace: string): Promise<string | undefined> {
  const { client, signal } = work;
  try {
    const tried = await client.create(migrations, probe(namespace), { dryRun: 'All', signal });
    const { annotations, creationTimestamp = '' } = tried.metadata;
    if (annotations?.[requesterAnnotation] === undefined) return 'requests pass without it';
    const settledMs = (await guardedSinceMs(work)) + guardSettlesMs;
    return Date.parse(creationTimestamp) > settledMs ? undefined : 'it was set up a moment ago';
  } catch (error) {
    if (signal.aborted || !(error instanceof ApiError)) throw error;
    return renderError(error);
  }
}

async function guardedSinceMs({ client, signal }: InstallWork): Promise<number> {
  const key = { name: webhookName };
  const mutating = await client.get(core.mutatingWebhookConfigurations, key, { signal });
  const validating = await client.get(core.validatingWebhookConfigurations, key, { signal });
  const times = [mutating, validating].map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ''));
  return Math.max(...times);
}

const probe = (namespace: string): Migration =>
  applyDefaults(migrations.schema, {
    apiVersion: migrations.apiVersion,
    kind: 'Migration',
    metadata: { name: 'stork-install-tries-admission', namespace },
    spec: { clusterPair: 'none', namespaces: [namespace] },
  });
