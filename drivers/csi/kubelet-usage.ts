/**
 * Used bytes from the kubelets (`/stats/summary` through the node proxy): the API server doesn't know them. An estimate,
 * and only for volumes that are attached to a node now. A kubelet that doesn't answer, or a cluster that forbids it, leaves
 * them undefined: usage is never worth failing an inspection.
 */
import type { KubeClient } from '../../kube/client/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import type { VolumeFacts } from '../driver.ts';

export interface UsageRequest {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly facts: ReadonlyMap<string, VolumeFacts>;
  readonly signal?: AbortSignal | undefined;
}

/** Kubelets asked at the same time. */
const askConcurrency = 4;
/** How long one kubelet may take. */
const askTimeoutMs = 3_000;

export async function addUsedBytes({
  client,
  clock,
  facts,
  signal,
}: UsageRequest): Promise<ReadonlyMap<string, VolumeFacts>> {
  const nodes = [...new Set([...facts.values()].flatMap((fact) => fact.attachedTo))].toSorted();
  const answers = await mapLimit(
    nodes,
    askConcurrency,
    (node, inner) => askKubelet(client, clock, node, inner),
    signal,
  );
  const used = new Map(answers.flatMap((answer) => [...answer]));
  return new Map(
    [...facts].map(([name, fact]) => {
      const { namespace, name: claim } = fact.ref.claim;
      return [name, { ...fact, usedBytes: used.get(`${namespace}/${claim}`) }];
    }),
  );
}

/** Used bytes by `namespace/claim`, from a kubelet's summary; unknown shapes are skipped. Pure. */
export function parseSummary(summary: unknown): ReadonlyMap<string, bigint> {
  const used = new Map<string, bigint>();
  for (const pod of arrayAt(summary, 'pods'))
    for (const volume of arrayAt(pod, 'volume')) {
      const claim = fieldOf(volume, 'pvcRef');
      const [namespace, name] = [fieldOf(claim, 'namespace'), fieldOf(claim, 'name')];
      const bytes = fieldOf(volume, 'usedBytes');
      if (typeof namespace !== 'string' || typeof name !== 'string') continue;
      if (typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= 0)
        used.set(`${namespace}/${name}`, BigInt(bytes));
    }
  return used;
}

async function askKubelet(
  client: KubeClient,
  clock: Clock,
  node: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, bigint>> {
  const late = new AbortController();
  using _timeout = clock.after(askTimeoutMs, () => late.abort());
  try {
    const path = `/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary`;
    return parseSummary(await client.request('GET', path, { signal: AbortSignal.any([signal, late.signal]) }));
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof StorkError || late.signal.aborted) return new Map();
    throw error;
  }
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([name]) => name === field)?.[1];
}

function arrayAt(value: unknown, field: string): readonly unknown[] {
  const list = fieldOf(value, field);
  return Array.isArray(list) ? list : [];
}
