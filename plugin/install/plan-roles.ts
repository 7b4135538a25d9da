/** ServiceAccounts, roles and bindings of an installation. Pure. */
import { agentName, agentNamespace, peerAccount } from '../../crds/agent-names.ts';
import type { AnyObject } from '../../kube/client/client.ts';
import type { InstallChoices } from './install-choices.ts';
import { labelled } from './labelled.ts';
import { agentRoles, type FeatureRole, type PolicyRule, peerRules } from './policy-rules.ts';

const rbac = 'rbac.authorization.k8s.io';

export function planRoles({ namespace, peerClusterRoles }: InstallChoices): readonly AnyObject[] {
  return [
    account(namespace, agentName),
    account(namespace, peerAccount),
    ...agentRoles.flatMap((role) => planFeature(namespace, role)),
    impersonation(namespace),
    binding({
      namespace,
      name: `${agentName}-impersonate`,
      role: { kind: 'Role', name: `${agentName}-impersonate` },
      account: agentName,
    }),
    clusterRole(
      peerAccount,
      peerRules,
      "What peers' objects are written with; the grant of each ClusterPair narrows it.",
    ),
    clusterBinding(namespace, { name: peerAccount, role: peerAccount, account: peerAccount }),
    clusterRole(
      pairSecretsRole,
      pairSecretsRules,
      'Bound by `kubectl stork pair` in a namespace of a pair, for its one-time codes.',
    ),
    ...extension(namespace, {
      account: agentName,
      label: 'agent',
      why: 'Labelled ClusterRoles let the agent read kinds of operators.',
    }),
    ...extension(namespace, {
      account: peerAccount,
      label: 'peer',
      why: 'Labelled ClusterRoles let peers write kinds of operators.',
    }),
    ...peerClusterRoles.map((role) =>
      clusterBinding(namespace, { name: `${peerAccount}-${role}`, role, account: peerAccount }),
    ),
  ];
}

/** Bound only where a pair lies outside the agent's namespace. */
export const pairSecretsRole = `${agentName}-pair-secrets`;
const pairSecretsRules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['create', 'delete', 'get'] }];

/** Lets the agent write the codes of pairs in a namespace that isn't its own. */
export function planPairSecretsBinding(namespace: string): AnyObject {
  const subjects = [{ kind: 'ServiceAccount', name: agentName, namespace: agentNamespace }];
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: labelled({ name: pairSecretsRole, namespace }),
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: pairSecretsRole },
    subjects,
  };
}

function planFeature(namespace: string, { feature, scope, why, rules }: FeatureRole): readonly AnyObject[] {
  const name = `${agentName}-${feature}`;
  if (scope === 'Cluster')
    return [clusterRole(name, rules, why), clusterBinding(namespace, { name, role: name, account: agentName })];
  const role = { kind: 'Role', name } as const;
  return [roleIn(namespace, { name, rules, why }), binding({ namespace, name, role, account: agentName })];
}

/** The agent acts as the account that a grant names, and as no other. */
function impersonation(namespace: string): AnyObject {
  const rules = [
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['impersonate'], resourceNames: [peerAccount] },
  ];
  return roleIn(namespace, {
    name: `${agentName}-impersonate`,
    rules,
    why: 'Writes what peers send as this account only.',
  });
}

function extension(
  namespace: string,
  { account: named, label, why }: { readonly account: string; readonly label: string; readonly why: string },
): readonly AnyObject[] {
  const name = `${named}-extra`;
  const selector = { matchLabels: { [`stork.libopenstorage.org/aggregate-to-${label}`]: 'true' } };
  return [
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: labelled({ name, annotations: { description: why } }),
      aggregationRule: { clusterRoleSelectors: [selector] },
    },
    clusterBinding(namespace, { name, role: name, account: named }),
  ];
}

function account(namespace: string, name: string): AnyObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: labelled({ name, namespace }) };
}

function clusterRole(name: string, rules: readonly PolicyRule[], why: string): AnyObject {
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: labelled({ name, annotations: { description: why } }),
    rules,
  };
}

function roleIn(
  namespace: string,
  { name, rules, why }: { readonly name: string; readonly rules: readonly PolicyRule[]; readonly why: string },
): AnyObject {
  const metadata = labelled({ name, namespace, annotations: { description: why } });
  return { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules };
}

function clusterBinding(
  namespace: string,
  { name, role, account: named }: { readonly name: string; readonly role: string; readonly account: string },
): AnyObject {
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: labelled({ name }),
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: named, namespace }],
  };
}

function binding({
  namespace,
  name,
  role,
  account: named,
}: {
  readonly namespace: string;
  readonly name: string;
  readonly role: { readonly kind: 'Role'; readonly name: string };
  readonly account: string;
}): AnyObject {
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: labelled({ name, namespace }),
    roleRef: { apiGroup: rbac, ...role },
    subjects: [{ kind: 'ServiceAccount', name: named, namespace }],
  };
}
