/** What there is around incoming objects on this cluster: answers by name or by count only, and changes nothing. */
import type { AnyResource, KubeClient } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { listServedKinds } from '../../resources/defined-kinds.ts';
import { fitting, maxSentences, type SurroundingsAnswer, type SurroundingsRequest } from '../plan-messages.ts';
import { type Exceeded, findExceeded } from './decide-quota.ts';
import { describeWebhooks, type IncomingKind, type LabelsOfNamespaces } from './decide-webhooks.ts';
import type { DestinationServices, Sender } from './destination-services.ts';
import { gatherLimits } from './gather-limits.ts';
import { mustCover } from './must-cover.ts';

/** Kinds that applications name without owning them. Nobody may ask whether anything else is there. */
const askedFor: Readonly<Record<string, AnyResource>> = {
  IngressClass: core.ingressClasses,
  PriorityClass: core.priorityClasses,
  RuntimeClass: core.runtimeClasses,
};

export async function planSurroundings(
  services: DestinationServices,
  sender: Sender,
  body: SurroundingsRequest,
  signal: AbortSignal,
): Promise<SurroundingsAnswer> {
  const { client } = services;
  mustCover(services, sender, namespacesOf(body));
  const isThere = await mapLimit(
    body.references,
    parallelReads,
    async ({ kind, name }, stop) => {
      const resource = Object.hasOwn(askedFor, kind) ? askedFor[kind] : undefined;
      return resource === undefined || (await client.find(resource, { name }, { signal: stop })) !== undefined;
    },
    signal,
  );
  return {
    missing: body.references.filter((_, index) => isThere[index] === false),
    webhooks: fitting(await findWebhooks(client, body, signal)),
    quotas: (await findTight(client, body, signal)).slice(0, maxSentences),
  };
}

const parallelReads = 8;

function namespacesOf({ namespaces, kinds, demands }: SurroundingsRequest): readonly string[] {
  const named = [...kinds, ...demands].map(({ namespace }) => namespace).filter((namespace) => namespace !== '');
  return [...new Set([...namespaces.map(({ name }) => name), ...named])];
}

async function findWebhooks(
  client: KubeClient,
  { kinds, namespaces }: SurroundingsRequest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const served = await listServedKinds(client, signal);
  const incoming = kinds.flatMap((one): readonly IncomingKind[] => {
    const found = served.find(
      ({ group, kind, plural }) => group === one.group && kind === one.kind && !plural.includes('/'),
    );
    return found === undefined ? [] : [{ ...one, plural: found.plural }];
  });
  const labels = await readLabels(client, namespaces, signal);
  const configurations = [
    ...(await Array.fromAsync(client.list(core.mutatingWebhookConfigurations, { signal }))),
    ...(await Array.fromAsync(client.list(core.validatingWebhookConfigurations, { signal }))),
  ];
  return describeWebhooks(configurations, incoming, labels);
}

/** As they are here; of a namespace that comes, as it will be. */
async function readLabels(
  client: KubeClient,
  namespaces: SurroundingsRequest['namespaces'],
  signal: AbortSignal,
): Promise<LabelsOfNamespaces> {
  const labels = new Map<string, Readonly<Record<string, string>>>();
  for (const { name, labels: coming = {} } of namespaces) {
    const found = await client.find(core.namespaces, { name }, { signal });
    labels.set(name, found?.metadata.labels ?? { ...coming, 'kubernetes.io/metadata.name': name });
  }
  return labels;
}

async function findTight(
  client: KubeClient,
  { demands }: SurroundingsRequest,
  signal: AbortSignal,
): Promise<readonly Exceeded[]> {
  const limits = await gatherLimits(
    client,
    demands.map(({ namespace }) => namespace),
    signal,
  );
  return limits.flatMap(({ namespace, quotas }) => {
    const here = demands.filter((demand) => demand.namespace === namespace);
    return findExceeded(
      quotas,
      here.map(({ resource, milli }) => ({ resource, milli: BigInt(milli) })),
    );
  });
}
