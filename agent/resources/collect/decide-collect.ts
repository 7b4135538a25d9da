/**
 * Whether one object of the migrated namespaces travels, and if not, why: Stork's rules, one function each, first match
 * wins. Pure.
 */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { at, fieldsOf, has, itemsOf, textOf } from '../fields.ts';
import { storkNames } from '../names.ts';
import { groupKindOf, isTrue } from '../resource-ref.ts';
import { isStash } from '../stash/stash-object.ts';

export interface CollectFacts {
  /** All must match; empty takes all. */
  readonly selectors: Readonly<Record<string, string>>;
  /** Any match leaves an object out. */
  readonly excludeSelectors: Readonly<Record<string, string>>;
  readonly ownerCheck: 'Check' | 'Ignore';
  readonly networkPoliciesWithCidr: 'Include' | 'Skip';
  /** uids of everything that is listed, before any rule. */
  readonly listedUids: ReadonlySet<string>;
  /** `namespace/name` of Services without an address of their own. */
  readonly headlessServices: ReadonlySet<string>;
}

/** The reason for leaving the object out, as one clause; `undefined`: it travels. */
export function whySkipped(object: AnyObject, facts: CollectFacts): string | undefined {
  for (const rule of rules) {
    const reason = rule(object, facts);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** As {@link whySkipped}, for what is cluster-scoped: only what its annotations and labels say. */
export function whyNotChosen(object: AnyObject, facts: CollectFacts): string | undefined {
  return annotated(object, facts) ?? selected(object, facts);
}

type SkipRule = (object: AnyObject, facts: CollectFacts) => string | undefined;

const deleting: SkipRule = (object) =>
  object.metadata.deletionTimestamp === undefined ? undefined : 'it is being deleted';

const annotated: SkipRule = (object) =>
  isTrue(object, storkNames.skipResource) || isTrue(object, storkNames.skipResourceOld)
    ? `annotation ${storkNames.skipResource}`
    : undefined;

const ours: SkipRule = (object) =>
  isManagedByAgent(object.metadata) ? 'it is a temporary object of Stork' : undefined;

const stashed: SkipRule = (object) =>
  isStash(object) ? 'it holds a custom resource until that is activated here' : undefined;

const selected: SkipRule = (object, facts) => {
  const labels = object.metadata.labels ?? {};
  const excluded = Object.entries(facts.excludeSelectors).find(([name, value]) => labels[name] === value);
  if (excluded !== undefined) return `excludeSelectors ${excluded.join('=')}`;
  const missing = Object.entries(facts.selectors).find(([name, value]) => labels[name] !== value);
  return missing === undefined ? undefined : `selectors ${missing.join('=')} does not match`;
};

const madeByTheCluster: SkipRule = (object) => {
  const rule = clusterMade[groupKindOf(object)];
  return rule?.(object) === true ? 'every cluster makes its own' : undefined;
};

const owned: SkipRule = (object, facts) => {
  if (facts.ownerCheck === 'Ignore' || isTrue(object, storkNames.skipOwnerCheck)) return undefined;
  const owners = object.metadata.ownerReferences ?? [];
  const pod = owners.find((owner) => owner.kind === 'Pod');
  if (pod !== undefined) return `it belongs to pod ${pod.name}`;
  if (!remadeByOwner.has(groupKindOf(object))) return undefined;
  const owner = owners.find((candidate) => facts.listedUids.has(candidate.uid));
  return owner === undefined ? undefined : `${owner.kind.toLowerCase()} ${owner.name} makes it again`;
};

const endpoints: SkipRule = (object, facts) => {
  if (groupKindOf(object) !== '/Endpoints' || isTrue(object, storkNames.includeResource)) return undefined;
  const { namespace, name } = object.metadata;
  if (facts.headlessServices.has(`${namespace}/${name}`)) return 'the endpoints controller makes it';
  if (object.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] === undefined) {
    return 'the endpoints controller makes it';
  }
  const addresses = itemsOf(at(object, ['subsets'])).flatMap((subset) => itemsOf(fieldsOf(subset).addresses));
  const isOfPods = addresses.some((address) => at(address, ['targetRef', 'kind']) === 'Pod');
  return isOfPods ? 'its addresses are pods of this cluster' : undefined;
};

const cidrPolicy: SkipRule = (object, facts) => {
  if (groupKindOf(object) !== 'networking.k8s.io/NetworkPolicy') return undefined;
  if (facts.networkPoliciesWithCidr === 'Include') return undefined;
  const peers = [
    ...itemsOf(at(object, ['spec', 'ingress'])).flatMap((rule) => itemsOf(fieldsOf(rule).from)),
    ...itemsOf(at(object, ['spec', 'egress'])).flatMap((rule) => itemsOf(fieldsOf(rule).to)),
  ];
  return peers.some((peer) => has(peer, ['ipBlock', 'cidr']))
    ? 'it names addresses of this network (see includeNetworkPolicyWithCIDR)'
    : undefined;
};

const rules: readonly SkipRule[] = [
  deleting,
  annotated,
  ours,
  stashed,
  selected,
  madeByTheCluster,
  owned,
  endpoints,
  cidrPolicy,
];

/** Kinds that a collected owner makes again on the destination. */
const remadeByOwner: ReadonlySet<string> = new Set([
  '/Endpoints',
  '/Service',
  '/ServiceAccount',
  'apps.openshift.io/DeploymentConfig',
  'apps/DaemonSet',
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/StatefulSet',
  'batch/CronJob',
  'batch/Job',
  'rbac.authorization.k8s.io/Role',
  'rbac.authorization.k8s.io/RoleBinding',
]);

const clusterMade: Readonly<Record<string, (object: AnyObject) => boolean>> = {
  '/Service': ({ metadata }) => metadata.name === 'kubernetes' && metadata.namespace === 'default',
  '/Endpoints': ({ metadata }) => metadata.name === 'kubernetes' && metadata.namespace === 'default',
  '/ConfigMap': ({ metadata }) => ['kube-root-ca.crt', 'openshift-service-ca.crt'].includes(metadata.name),
  '/ResourceQuota': ({ metadata }) => metadata.name === 'gke-resource-quotas',
  '/Secret': (object) =>
    /^(?:builder|default|deployer)-(?:dockercfg|token)-/.test(object.metadata.name) ||
    textOf(at(object, ['type'])) === 'bootstrap.kubernetes.io/token',
  '/ServiceAccount': (object) =>
    ['builder', 'default', 'deployer'].includes(object.metadata.name) && !hasExtraPullSecrets(object),
  'rbac.authorization.k8s.io/Role': (object) => isSystemRbac(object),
  'rbac.authorization.k8s.io/RoleBinding': (object) => isSystemRbac(object),
};

/** Roles that the cluster itself brings; bindings to OpenShift's security contexts are the user's. */
export function isSystemRbac(object: AnyObject): boolean {
  const { name, labels } = object.metadata;
  if (labels?.['kubernetes.io/bootstrapping'] === 'rbac-defaults') return true;
  return name.startsWith('system:') && !name.startsWith('system:openshift:scc:');
}

const hasExtraPullSecrets = (account: AnyObject): boolean =>
  itemsOf(at(account, ['imagePullSecrets'])).some((secret) => {
    const name = textOf(fieldsOf(secret).name) ?? '';
    return !name.startsWith(`${account.metadata.name}-dockercfg-`);
  });
