/**
 * A plan's answer for objects that the server can't be asked about yet, because what they need (their namespace, their
 * kind, their role) comes before them: the same decision as always, and whether the account may write such objects at all.
 */
import type { AnyObject, KubeClient, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { at, textOf } from '../fields.ts';
import { groupKindOf, splitApiVersion } from '../resource-ref.ts';
import type { AppliedObject } from './apply-objects.ts';
import { type ApplyFacts, decideApply } from './decide-apply.ts';

/** What earlier waves of a plan would have made. */
export interface Coming {
  readonly namespaces: readonly string[];
  /** By CRDs, one entry a version. */
  readonly kinds: readonly Resource[];
  /** Roles, `namespace/name`, and ClusterRoles, `name`: Kubernetes looks into them when they are bound. */
  readonly roles: readonly string[];
}

export const nothingComing: Coming = { namespaces: [], kinds: [], roles: [] };

/** What an object brings for those after it. Pure. */
export function comingFrom(object: AnyObject): Coming {
  const { namespace, name } = object.metadata;
  switch (groupKindOf(object)) {
    case '/Namespace':
      return { ...nothingComing, namespaces: [name] };
    case 'rbac.authorization.k8s.io/Role':
      return { ...nothingComing, roles: [`${namespace}/${name}`] };
    case 'rbac.authorization.k8s.io/ClusterRole':
      return { ...nothingComing, roles: [name] };
    case 'apiextensions.k8s.io/CustomResourceDefinition':
      return { ...nothingComing, kinds: kindsOf(object) };
    default:
      return nothingComing;
  }
}

function kindsOf(crd: AnyObject): readonly Resource[] {
  const text = (...path: readonly string[]) => textOf(at(crd, ['spec', ...path])) ?? '';
  const versions = at(crd, ['spec', 'versions']);
  const names = Array.isArray(versions) ? versions.filter((one) => at(one, ['served']) === true) : [];
  return names.map((version) => ({
    group: text('group'),
    version: textOf(at(version, ['name'])) ?? '',
    plural: text('names', 'plural'),
    kind: text('names', 'kind'),
    namespaced: text('scope') === 'Namespaced',
  }));
}

export function comingResource(object: AnyObject, coming: Coming): Resource | undefined {
  const { group, version } = splitApiVersion(object.apiVersion);
  return coming.kinds.find((kind) => kind.group === group && kind.version === version && kind.kind === object.kind);
}

/** What has to be there before the server can be asked; `undefined`: it can be. Pure. */
export function needsComing(object: AnyObject, coming: Coming): string | undefined {
  const { namespace } = object.metadata;
  if (namespace !== undefined && coming.namespaces.includes(namespace)) return 'its namespace';
  if (comingResource(object, coming) !== undefined) return 'its CRD';
  const isClusterRole = at(object, ['roleRef', 'kind']) === 'ClusterRole';
  const role = textOf(at(object, ['roleRef', 'name']));
  if (role === undefined) return undefined;
  return coming.roles.includes(isClusterRole ? role : `${namespace}/${role}`) ? 'its role' : undefined;
}

export interface UntriedPlanner {
  plan(
    of: { readonly object: AnyObject; readonly resource: Resource; readonly missing: string },
    signal?: AbortSignal,
  ): Promise<Omit<AppliedObject, 'ref'>>;
}

/** Asks for each kind and namespace once. */
export function createUntriedPlanner(writer: KubeClient, facts: ApplyFacts): UntriedPlanner {
  const asked = new Map<string, Promise<boolean>>();
  const may = (resource: Resource, namespace: string | undefined, signal?: AbortSignal): Promise<boolean> => {
    const key = `${resource.group}/${resource.plural} ${namespace ?? ''}`;
    const answer = asked.get(key) ?? mayWrite(writer, resource, namespace, signal);
    asked.set(key, answer);
    return answer;
  };
  return {
    async plan({ object, resource, missing }, signal) {
      const { namespace } = object.metadata;
      const wanted = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
      if (!(await may(resource, namespace, signal)))
        return { result: 'Failed', reason: `the grant's ServiceAccount may not write it: ${wanted}`, tried: 'No' };
      const decision = decideApply(object, bornWith(object, missing), facts);
      const first = `not tried: ${missing} is made first`;
      switch (decision.do) {
        case 'create':
          return { result: 'Created', reason: first, tried: 'No' };
        case 'leave':
          return { result: decision.result, reason: `${decision.reason}; ${first}`, tried: 'No' };
        case 'merge':
          return { result: 'Updated', reason: `${decision.reason}; ${first}`, tried: 'No' };
        case 'update':
          return { result: 'Updated', reason: first, tried: 'No' };
        default:
          return decision satisfies never;
      }
    },
  };
}

/** Kubernetes itself puts a ServiceAccount into every namespace. */
function bornWith(object: AnyObject, missing: string): AnyObject | undefined {
  const isDefault = groupKindOf(object) === '/ServiceAccount' && object.metadata.name === 'default';
  if (!isDefault || missing !== 'its namespace') return undefined;
  const { namespace = '', name } = object.metadata;
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
}

async function mayWrite(
  writer: KubeClient,
  { group, plural }: Resource,
  namespace: string | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const verb of ['create', 'patch']) {
    const resourceAttributes = { verb, group, resource: plural, namespace };
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      metadata: { name: '' },
      spec: { resourceAttributes },
    };
    const { status } = await writer.create(core.selfSubjectAccessReviews, review, { signal });
    if (status?.allowed !== true) return false;
  }
  return true;
}
