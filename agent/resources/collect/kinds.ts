/**
 * Which kinds a migration takes along: Stork's list of built-in kinds, and custom resources by ApplicationRegistration
 * or, without one, every namespaced kind that a CRD serves except those of storage machinery. Pure.
 */
import { isApplicationKind } from '../../../crds/custom-kinds.ts';
import type { AnyResource, ServedResource } from '../../../kube/client/client.ts';
import type { GroupKind } from '../resource-ref.ts';

export const namespacedKinds: ReadonlySet<GroupKind> = new Set([
  '/ConfigMap',
  '/Endpoints',
  '/LimitRange',
  '/ResourceQuota',
  '/Secret',
  '/Service',
  '/ServiceAccount',
  'apps.openshift.io/DeploymentConfig',
  'apps/DaemonSet',
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/StatefulSet',
  'batch/CronJob',
  'image.openshift.io/ImageStream',
  'networking.k8s.io/Ingress',
  'networking.k8s.io/NetworkPolicy',
  'policy/PodDisruptionBudget',
  'rbac.authorization.k8s.io/Role',
  'rbac.authorization.k8s.io/RoleBinding',
  'route.openshift.io/Route',
  'template.openshift.io/Template',
]);

/** Taken only when named in includeOptionalResourceTypes. */
export const optionalKinds: ReadonlySet<GroupKind> = new Set(['batch/Job']);

/** Cluster-scoped kinds, taken when something in the namespaces uses them. */
export const relatedKinds: ReadonlySet<GroupKind> = new Set([
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  'rbac.authorization.k8s.io/ClusterRole',
  'rbac.authorization.k8s.io/ClusterRoleBinding',
  'scheduling.k8s.io/PriorityClass',
]);

/** Versions of each kind that the destination serves. */
export type PeerVersions = ReadonlyMap<GroupKind, ReadonlySet<string>>;

export interface KindChoice {
  readonly served: readonly ServedResource[];
  /** Absent: unknown. */
  readonly peerVersions?: PeerVersions | undefined;
  /** `group/Kind` of installed CRDs that are namespaced. */
  readonly customKinds: ReadonlySet<GroupKind>;
  readonly registeredKinds: ReadonlySet<GroupKind>;
  readonly includeOptionalResourceTypes: readonly string[];
  readonly excludeResourceTypes: readonly string[];
}

/**
 * One served version of each kind to collect: the preferred one if the destination serves it too, else one that both
 * serve, else the preferred one (its CRD may travel along; if not, the destination names each object). An unknown name in excludeResourceTypes excludes nothing. */
export function chooseKinds(choice: KindChoice): {
  readonly namespaced: readonly ServedResource[];
  readonly related: readonly ServedResource[];
} {
  const usable = choice.served.filter(
    (resource) =>
      !resource.plural.includes('/') && resource.verbs.includes('list') && resource.verbs.includes('create'),
  );
  const byKind = new Map<GroupKind, ServedResource>();
  for (const [kind, versions] of Map.groupBy(usable, (resource) => `${resource.group}/${resource.kind}`)) {
    const chosen = chooseVersion(versions, choice.peerVersions?.get(kind));
    if (chosen !== undefined) byKind.set(kind, chosen);
  }
  const isWanted = (kind: GroupKind, resource: ServedResource): boolean => {
    if (choice.excludeResourceTypes.some((name) => namesKind(name, resource))) return false;
    if (namespacedKinds.has(kind) || relatedKinds.has(kind)) return true;
    if (optionalKinds.has(kind)) return choice.includeOptionalResourceTypes.some((name) => namesKind(name, resource));
    if (!resource.namespaced) return false;
    return choice.registeredKinds.has(kind) || (choice.customKinds.has(kind) && isApplicationKind(resource));
  };
  const wanted = [...byKind].filter(([kind, resource]) => isWanted(kind, resource));
  return {
    namespaced: wanted.filter(([, resource]) => resource.namespaced).map(([, resource]) => resource),
    related: wanted.filter(([kind]) => relatedKinds.has(kind)).map(([, resource]) => resource),
  };
}

function chooseVersion(versions: readonly ServedResource[], theirs: ReadonlySet<string> | undefined) {
  const ordered = versions.toSorted((a, b) => Number(b.preferred) - Number(a.preferred));
  return ordered.find(({ version }) => theirs?.has(version) === true) ?? ordered[0];
}

/**
 * Whether a name in a Migration's lists means the kind: `Kind` as in Stork, `Kind.group`, `plural.group`, or `*.group` for all
 * of a group. Without regard to case.
 */
export function namesKind(name: string, { group, kind, plural }: AnyResource): boolean {
  const asked = name.toLowerCase();
  const names = group === '' ? [kind, plural] : [kind, `${kind}.${group}`, `${plural}.${group}`, `*.${group}`];
  return names.some((one) => one.toLowerCase() === asked);
}
