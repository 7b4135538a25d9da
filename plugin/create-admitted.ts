/**
 * Creates an object that the agent's admission must see. An agent that restarts gives no answer for a moment, and the API
 * server refuses what nobody looked at: nothing was stored, so it is tried again, for a bounded time, and said so.
 */
import { admissionName, agentNamespace, webhookName } from '../crds/agent-names.ts';
import type { KubeObject, Resource } from '../kube/client/client.ts';
import { isWebhookUnanswered, StorkError } from '../kube/errors.ts';
import { formatKey } from '../kube/runtime/key.ts';
import type { CommandContext } from './command.ts';

export const admissionWait = {
  /** As long as a pod of the agent takes to be there again, its image pulled. */
  limitMs: 60_000,
  retryMs: 2000,
} as const;

/** @throws StorkError `NoAgentAnswers` when the time is over; ApiError as the server refuses it */
export async function createAdmitted<T extends KubeObject>(
  context: CommandContext,
  resource: Resource<T>,
  object: T,
  { dryRun }: { readonly dryRun?: 'All' | undefined } = {},
): Promise<T> {
  const { client } = await context.cluster();
  const { signal } = context;
  const { clock } = context.ambient;
  const deadlineMs = clock.monotonicMs() + admissionWait.limitMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.create(resource, object, { fieldManager: 'kubectl-stork', dryRun, signal });
    } catch (error) {
      if (!isWebhookUnanswered(error, admissionName)) throw error;
      if (clock.monotonicMs() + admissionWait.retryMs > deadlineMs) throw noAgentAnswers(resource, object, error);
      if (attempt === 1) context.say(waiting(resource.kind));
      await clock.sleep(admissionWait.retryMs, signal);
    }
  }
}

const waiting = (kind: string): string =>
  `No agent answers just now, as while it restarts, so the API server takes no ${kind}. Trying again for up to ${admissionWait.limitMs / 1000} s ...`;

function noAgentAnswers({ kind }: Pick<Resource, 'kind'>, { metadata }: KubeObject, cause: unknown): StorkError {
  return new StorkError({
    code: 'NoAgentAnswers',
    message: `the API server reached no agent for ${admissionWait.limitMs / 1000} s; ${kind} ${formatKey(metadata)} was not created`,
    hint: `See whether an agent is Ready: kubectl stork status. The API server must reach its Service: kubectl -n ${agentNamespace} get endpointslices -l kubernetes.io/service-name=${webhookName}`,
    cause,
  });
}
