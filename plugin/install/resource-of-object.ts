/** The resource that an object of an installation is written to; only kinds that an installation has. */
import type { AnyObject, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';

const resources: Readonly<Record<string, Resource>> = {
  Namespace: plain(core.namespaces),
  CustomResourceDefinition: plain(core.customResourceDefinitions),
  ServiceAccount: plain(core.serviceAccounts),
  ClusterRole: plain(core.clusterRoles),
  ClusterRoleBinding: plain(core.clusterRoleBindings),
  Role: plain(core.roles),
  RoleBinding: plain(core.roleBindings),
  Service: plain(core.services),
  Deployment: plain(core.deployments),
  PodDisruptionBudget: plain(core.podDisruptionBudgets),
  MutatingWebhookConfiguration: plain(core.mutatingWebhookConfigurations),
  ValidatingWebhookConfiguration: plain(core.validatingWebhookConfigurations),
};

export function resourceOfObject({ kind }: AnyObject): Resource {
  const resource = resources[kind];
  if (resource !== undefined) return resource;
  throw new StorkError({ code: 'UnknownKind', message: `an installation has no ${kind}` });
}

/** The same resource without the type of its objects. */
function plain({ group, version, plural, kind, namespaced }: Omit<Resource, '__object'>): Resource {
  return { group, version, plural, kind, namespaced };
}
