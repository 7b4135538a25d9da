/** What there is around incoming objects on this cluster: answers by name or by count only, and changes nothing. */
import type { AnyResource, KubeClient } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { listServedKinds } from '../../resources/defined-kinds.ts';
import { enforcedLevel } from '../../resources/pod-security.ts';
import { fitting, maxSentences, type SurroundingsAnswer, type SurroundingsRequest } from '../plan-messages.ts';
import { type Exceeded, findExceeded, findScopedExceeded } from './decide-quota.ts';
import { describeWebhooks, type IncomingKind, type LabelsOfNamespaces } from './decide-webhooks.ts';
import type { DestinationServices, Sender } from './destination-services.ts';
import { gatherLimits } from './gather-limits.ts';
import { mustCover } from './must-cover.ts';
import { givesContainers, hasScopes } from './quota-scopes.ts';

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
  const tight = await findTight(client, body, signal);
  const labels = await readLabels(client, body.namespaces, signal);
  return {
    missing: body.references.filter((_, index) => isThere[index] === false),
    webhooks: fitting(await findWebhooks(client, { kinds: body.kinds, labels }, signal)),
    quotas: tight.exceeded.slice(0, maxSentences),
    notJudged: fitting(tight.notJudged),
    notAdmitted: fitting(findNotAdmitted(body, labels)),
  };
}

const parallelReads = 8;

function namespacesOf(request: SurroundingsRequest): readonly string[] {
  const { namespaces, kinds, demands, podDemands = [], privileged = [] } = request;
  const named = [...kinds, ...demands, ...podDemands, ...privileged]
    .map(({ namespace }) => namespace)
    .filter((namespace) => namespace !== '');
  return [...new Set([...namespaces.map(({ name }) => name), ...named])];
}

async function findWebhooks(
  client: KubeClient,
  { kinds, labels }: Pick<SurroundingsRequest, 'kinds'> & { readonly labels: LabelsOfNamespaces },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const served = await listServedKinds(client, signal);
  const incoming = kinds.flatMap((one): readonly IncomingKind[] => {
    const found = served.find(
      ({ group, kind, plural }) => group === one.group && kind === one.kind && !plural.includes('/'),
    );
    return found === undefined ? [] : [{ ...one, plural: found.plural }];
  });
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

/** Pod Security looks at pods, not at what makes them: a dry run of the object does not tell. */
function findNotAdmitted({ privileged = [] }: SurroundingsRequest, labels: LabelsOfNamespaces): readonly string[] {
  return privileged.flatMap(({ namespace, object, why }) => {
    const level = enforcedLevel({ metadata: { name: namespace, labels: labels.get(namespace) ?? {} } });
    if (level === undefined) return [];
    return [
      `namespace ${namespace} enforces ${level}: the pods of ${object} would not be admitted, because of them ${why}`,
    ];
  });
}

async function findTight(
  client: KubeClient,
  { demands, podDemands }: SurroundingsRequest,
  signal: AbortSignal,
): Promise<{ readonly exceeded: readonly Exceeded[]; readonly notJudged: readonly string[] }> {
  const limits = await gatherLimits(
    client,
    demands.map(({ namespace }) => namespace),
    signal,
  );
  const isScoped = limits.some(({ quotas }) => quotas.some(hasScopes));
  const priorityClass = isScoped ? await findDefaultPriority(client, signal) : undefined;
  const exceeded: Exceeded[] = [];
  const notJudged: string[] = [];
  for (const { namespace, quotas, ranges } of limits) {
    const here = demands.filter((demand) => demand.namespace === namespace).map(inNumbers);
    exceeded.push(...findExceeded(quotas, here));
    if (podDemands === undefined) {
      notJudged.push(...quotas.filter(hasScopes).map(({ metadata }) => `${untold} ${namespace}/${metadata.name}`));
      continue;
    }
    const pods = podDemands.filter((demand) => demand.namespace === namespace).map(inNumbers);
    const containers = ranges.some(givesContainers) ? 'Given' : 'None';
    const scoped = findScopedExceeded(quotas, pods, { priorityClass, containers });
    exceeded.push(...scoped.exceeded);
    notJudged.push(...scoped.notJudged);
  }
  return { exceeded, notJudged };
}

const untold = 'the source is too old to tell what counts for resourcequota';

const inNumbers = <Said extends { readonly milli: string }>(demand: Said) => ({
  ...demand,
  milli: BigInt(demand.milli),
});

/** Pods that name no class get it. */
async function findDefaultPriority(client: KubeClient, signal: AbortSignal): Promise<string | undefined> {
  for await (const { metadata, globalDefault } of client.list(core.priorityClasses, { signal }))
    if (globalDefault === true) return metadata.name;
  return undefined;
}
