/**
 * Rights on custom kinds, which an installation can't know beforehand: two ClusterRoles that the roles of the agent and of
 * peers take up by their labels, each kind by name. Pure but for {@link observeKinds}, which only reads.
 */
import { agentName, peerAccount } from '../../crds/agent-names.ts';
import { isApplicationKind } from '../../crds/custom-kinds.ts';
import type { AnyObject, KubeClient } from '../../kube/client/client.ts';
import { type ClusterRole, type CustomResourceDefinition, core } from '../../kube/client/core.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { labelled } from './labelled.ts';

export interface KindRights {
  /** `plural.group`. */
  readonly name: string;
  readonly group: string;
  readonly plural: string;
  /** May the agent list them everywhere? */
  readonly agent: 'Yes' | 'No';
  /** May peers make them everywhere? */
  readonly peers: 'Yes' | 'No';
}

const parallelQuestions = 8;

/** The kinds of CRDs here that applications may consist of, by name. Asks the API server what our accounts may do. */
export async function observeKinds(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly KindRights[]> {
  const definitions = await Array.fromAsync(client.list(core.customResourceDefinitions, { signal }));
  const kinds = definitions.filter(isTaken).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  if (kinds.length === 0) return [];
  const [mayAgent, mayPeers] = await Promise.all([
    rightsOf(client, namespace, agentName, signal),
    rightsOf(client, namespace, peerAccount, signal),
  ]);
  return mapLimit(
    kinds,
    parallelQuestions,
    async ({ metadata, spec }, stop) => {
      const of = { group: spec.group, resource: spec.names.plural };
      const agent = await mayAgent({ verb: 'list', ...of }, stop);
      const peers = await mayPeers({ verb: 'create', ...of }, stop);
      return { name: metadata.name, group: of.group, plural: of.resource, agent, peers };
    },
    signal,
  );
}

function isTaken({ spec, status }: CustomResourceDefinition): boolean {
  const isServed = status?.conditions?.some((one) => one.type === 'NamesAccepted' && one.status === 'False') !== true;
  return isServed && spec.scope === 'Namespaced' && isApplicationKind({ group: spec.group, kind: spec.names.kind });
}

interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
}

/** Answers for one of our accounts; one that may do everything is asked about once. */
async function rightsOf(client: KubeClient, namespace: string, account: string, signal: AbortSignal) {
  const may = async (resourceAttributes: Right, stop: AbortSignal) => {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: { name: '' },
      spec: {
        user: `system:serviceaccount:${namespace}:${account}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        resourceAttributes,
      },
    } as const;
    return (await client.create(core.subjectAccessReviews, review, { signal: stop })).status?.allowed === true;
  };
  const mayAll = await may({ verb: '*', group: '*', resource: '*' }, signal);
  return async (right: Right, stop: AbortSignal): Promise<'Yes' | 'No'> =>
    mayAll || (await may(right, stop)) ? 'Yes' : 'No';
}

export const agentKindsRole = `${agentName}-kinds`;
export const peerKindsRole = `${peerAccount}-kinds`;

/** The agent reads them, stops and starts them by a patch; peers write them, and delete what is purged. */
const roles = [
  { name: agentKindsRole, label: 'agent', verbs: ['get', 'list', 'patch'], why: 'Custom kinds that the agent reads.' },
  {
    name: peerKindsRole,
    label: 'peer',
    verbs: ['create', 'delete', 'get', 'list', 'patch'],
    why: 'Custom kinds that peers write.',
  },
] as const;

/** What the roles hold with these kinds, beside those that they hold already. */
export function planKindRoles(
  kinds: readonly Pick<KindRights, 'group' | 'plural'>[],
  existing: readonly ClusterRole[] = [],
): readonly AnyObject[] {
  return roles.map(({ name, label, verbs, why }) => {
    const held = existing.find(({ metadata }) => metadata.name === name)?.rules ?? [];
    const pairs = [
      ...held.flatMap(({ apiGroups = [], resources = [] }) =>
        apiGroups.flatMap((group) => resources.map((plural) => ({ group, plural }))),
      ),
      ...kinds,
    ];
    const groups = Map.groupBy(pairs, ({ group }) => group);
    const labels = { [`stork.libopenstorage.org/aggregate-to-${label}`]: 'true' };
    return {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: labelled({ name, labels, annotations: { description: why } }),
      rules: [...groups.keys()].toSorted().map((group) => ({
        apiGroups: [group],
        resources: [...new Set((groups.get(group) ?? []).map(({ plural }) => plural))].toSorted(),
        verbs: [...verbs],
      })),
    };
  });
}
