/**
 * Migrations that came to this cluster: their objects are on the other one, but its user knows them by name. The agents here
 * wrote name, operation and pair into their log, and into a record while volumes are under way.
 */
import { agentName, agentNamespace, operationLabel } from '../crds/agent-names.ts';
import type { KubeClient, ObjectKey } from '../kube/client/client.ts';
import { core } from '../kube/client/core.ts';
import { isForbidden } from '../kube/errors.ts';
import { readAgentLogs } from './operation-log.ts';
import { fieldsOf } from './output/tell/log-line.ts';

export interface IncomingOperation {
  /** The uid of the Migration on the other cluster. */
  readonly uid: string;
  /** The ClusterPair here that it came over, `namespace/name`. */
  readonly pair: string;
}

/** @param peer only those over the ClusterPair of this name */
export async function findIncoming(
  client: KubeClient,
  migration: ObjectKey,
  { peer, signal }: { readonly peer: string | undefined; readonly signal: AbortSignal },
): Promise<readonly IncomingOperation[]> {
  const wanted = `${migration.namespace}/${migration.name}`;
  const logged = (await readAgentLogs(client, signal)).flatMap(({ text }) => toIncoming(fieldsOf(text), wanted));
  const recorded = await readRecords(client, wanted, signal);
  const found = new Map([...logged, ...recorded].map((one) => [one.uid, one]));
  return [...found.values()].filter(({ pair }) => peer === undefined || pair.split('/').at(-1) === peer);
}

function toIncoming(
  fields: Readonly<Record<string, unknown>> | undefined,
  wanted: string,
): readonly IncomingOperation[] {
  const { migration, operation, pair } = fields ?? {};
  if (migration !== wanted || typeof operation !== 'string' || typeof pair !== 'string') return [];
  return [{ uid: operation, pair }];
}

/** A user who may not read them has the log. */
async function readRecords(
  client: KubeClient,
  wanted: string,
  signal: AbortSignal,
): Promise<readonly IncomingOperation[]> {
  const found: IncomingOperation[] = [];
  const labelSelector = `${operationLabel},app.kubernetes.io/managed-by=${agentName}`;
  try {
    for await (const { data } of client.list(core.configMaps, { namespace: agentNamespace, labelSelector, signal })) {
      const { request, pair } = fieldsOf(data?.record ?? '') ?? {};
      found.push(...toIncoming({ ...Object(request), pair }, wanted));
    }
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
  return found;
}
