/**
 * Which cluster-scoped objects belong to the migrated namespaces: by who is bound, who is called, who is named. Pure.
 */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { at, fieldsOf, itemsOf, textOf } from '../fields.ts';
import { groupKindOf } from '../resource-ref.ts';
import { isSubjectOf } from '../subjects.ts';
import { isSystemRbac } from './decide-collect.ts';

export interface Relations {
  readonly namespaces: readonly string[];
  /** `namespace/name` of the ServiceAccounts that exist there. */
  readonly accounts: ReadonlySet<string>;
  /** ClusterRoles that a collected RoleBinding or ClusterRoleBinding refers to. */
  readonly clusterRoles: ReadonlySet<string>;
  readonly priorityClasses: ReadonlySet<string>;
}

/** What the collected objects of the namespaces, and the chosen ClusterRoleBindings, refer to. */
export function readRelations(
  namespaces: readonly string[],
  collected: readonly AnyObject[],
  clusterRoleBindings: readonly AnyObject[],
): Relations {
  const ofKind = (kind: string) => collected.filter((object) => groupKindOf(object) === kind);
  const accounts = ofKind('/ServiceAccount').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const bindings = [...ofKind('rbac.authorization.k8s.io/RoleBinding'), ...clusterRoleBindings];
  const clusterRoles = bindings
    .filter((binding) => at(binding, ['roleRef', 'kind']) === 'ClusterRole')
    .map((binding) => textOf(at(binding, ['roleRef', 'name'])) ?? '');
  const priorityClasses = collected
    .flatMap((object) => [podSpecOf(object).priorityClassName])
    .map(textOf)
    .filter((name) => name !== undefined);
  return {
    namespaces,
    accounts: new Set(accounts),
    clusterRoles: new Set(clusterRoles),
    priorityClasses: new Set(priorityClasses),
  };
}

/** Whether a ClusterRoleBinding binds somebody of the namespaces; a ServiceAccount must exist there. */
export function isBindingOf(binding: AnyObject, relations: Pick<Relations, 'namespaces' | 'accounts'>): boolean {
  if (isSystemRbac(binding)) return false;
  return itemsOf(at(binding, ['subjects'])).some((subject) => {
    if (!isSubjectOf(subject, relations.namespaces)) return false;
    const { kind, namespace, name } = fieldsOf(subject);
    return kind !== 'ServiceAccount' || relations.accounts.has(`${namespace}/${name}`);
  });
}

/** Whether another cluster-scoped object (not a ClusterRoleBinding) belongs to the namespaces. What we install, each cluster has. */
export function isRelated(object: AnyObject, relations: Relations): boolean {
  if (isManagedByAgent(object.metadata)) return false;
  switch (groupKindOf(object)) {
    case 'rbac.authorization.k8s.io/ClusterRole':
      return relations.clusterRoles.has(object.metadata.name) && !isSystemRbac(object);
    case 'scheduling.k8s.io/PriorityClass':
      return relations.priorityClasses.has(object.metadata.name) && !object.metadata.name.startsWith('system-');
    case 'admissionregistration.k8s.io/MutatingWebhookConfiguration':
    case 'admissionregistration.k8s.io/ValidatingWebhookConfiguration':
      return itemsOf(at(object, ['webhooks'])).some((webhook) =>
        relations.namespaces.includes(textOf(at(webhook, ['clientConfig', 'service', 'namespace'])) ?? ''),
      );
    default:
      return false;
  }
}

/** The pod template's spec of any workload. */
function podSpecOf(object: AnyObject): Readonly<Record<string, unknown>> {
  const direct = at(object, ['spec', 'template', 'spec']);
  return fieldsOf(direct ?? at(object, ['spec', 'jobTemplate', 'spec', 'template', 'spec']));
}
