/** What the agents and movers of one cluster logged about an operation, read anew at each look. */
import { agentName, agentNamespace, operationLabel, runLabel } from '../crds/agent-names.ts';
import type { KubeClient } from '../kube/client/client.ts';
import { core, type Pod } from '../kube/client/core.ts';
import { isNotFound, StorkError } from '../kube/errors.ts';
import { isAbout, type LogLine, readLines } from './output/tell/log-line.ts';

/** Of one container; what is older than that is for a log store. */
const maxLines = 10_000;

export interface OperationLog {
  /** What came since the last look, in the order of time. */
  look(signal: AbortSignal): Promise<readonly LogLine[]>;
}

export function createOperationLog(
  client: KubeClient,
  operation: { readonly uids: readonly string[]; readonly since: string | undefined },
): OperationLog {
  /** The stamp of each pod's last line that was looked at. */
  const seen = new Map<string, string>();
  const newLines = async (pod: Pod, signal: AbortSignal): Promise<readonly LogLine[]> => {
    const { name, namespace = '' } = pod.metadata;
    const last = seen.get(name);
    const sinceTime = last === undefined ? operation.since : `${last.slice(0, 19)}Z`;
    const request = { namespace, pod: name, sinceTime, tailLines: maxLines, timestamps: 'Yes', signal } as const;
    const lines = readLines(name, await client.logs(request).catch(unlessNotThere));
    const fresh = lines.filter(({ stamp }) => last === undefined || stamp > last);
    const newest = fresh.at(-1)?.stamp;
    if (newest !== undefined) seen.set(name, newest);
    return fresh;
  };
  return {
    async look(signal) {
      const movers = await podsOf(client, {
        labelSelector: `${operationLabel} in (${operation.uids.join(',')})`,
        signal,
      });
      const agents = await agentPods(client, signal);
      const runs = movers.map(({ metadata }) => metadata.labels?.[runLabel] ?? '').filter((run) => run !== '');
      const ids = [...operation.uids, ...new Set(runs)];
      const found: LogLine[] = [];
      for (const pod of agents) found.push(...(await newLines(pod, signal)).filter((line) => isAbout(line, ids)));
      for (const pod of movers) found.push(...(await newLines(pod, signal)));
      return found.sort((one, other) => (one.stamp < other.stamp ? -1 : 1));
    },
  };
}

/** What this cluster's agents logged, as far back as their pods keep it. */
export async function readAgentLogs(client: KubeClient, signal: AbortSignal): Promise<readonly LogLine[]> {
  const found: LogLine[] = [];
  for (const { metadata } of await agentPods(client, signal)) {
    const request = { namespace: metadata.namespace ?? '', pod: metadata.name, tailLines: maxLines, signal } as const;
    found.push(...readLines(metadata.name, await client.logs({ ...request, timestamps: 'Yes' }).catch(unlessNotThere)));
  }
  return found;
}

const agentPods = (client: KubeClient, signal: AbortSignal): Promise<readonly Pod[]> =>
  podsOf(client, { namespace: agentNamespace, labelSelector: `app.kubernetes.io/name=${agentName}`, signal });

async function podsOf(
  client: KubeClient,
  selection: { readonly namespace?: string; readonly labelSelector: string; readonly signal: AbortSignal },
): Promise<readonly Pod[]> {
  const pods: Pod[] = [];
  for await (const pod of client.list(core.pods, selection)) pods.push(pod);
  return pods;
}

/** A pod that is gone or whose container has not begun has no log. */
function unlessNotThere(error: unknown): string {
  if (isNotFound(error) || (error instanceof StorkError && error.code === 'BadRequest')) return '';
  throw error;
}
