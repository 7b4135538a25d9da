/**
 * Which pods a ResourceQuota with scopes counts, as Kubernetes' quota admission does. What can't be told beforehand is said
 * to be unknown, never taken for room. Pure.
 */
import type { LimitRange, ResourceQuota } from '../../../kube/client/core.ts';
import type { PodTraits } from '../plan-messages.ts';

/** What the destination adds to pods that don't say. */
export interface PodDefaults {
  readonly priorityClass: string | undefined;
  /** Whether a LimitRange gives containers requests or limits. */
  readonly containers: 'Given' | 'None';
}

export type Counted =
  | { readonly counts: 'Yes' | 'No' }
  /** `why`: a clause. */
  | { readonly counts: 'Unknown'; readonly why: string };

type Requirement = NonNullable<
  NonNullable<NonNullable<ResourceQuota['spec']>['scopeSelector']>['matchExpressions']
>[number];

/** A pod is counted when all scopes fit. */
export function countsPod(quota: ResourceQuota, pod: PodTraits, defaults: PodDefaults): Counted {
  const all = requirementsOf(quota).map((requirement) => fitsScope(requirement, pod, defaults));
  if (all.some(({ counts }) => counts === 'No')) return { counts: 'No' };
  return all.find(({ counts }) => counts === 'Unknown') ?? { counts: 'Yes' };
}

export const hasScopes = (quota: ResourceQuota): boolean => requirementsOf(quota).length > 0;

/** Scopes that are about claims, whose class of attributes a plan does not know. */
export const claimScopesOf = (quota: ResourceQuota): readonly string[] =>
  requirementsOf(quota)
    .map(({ scopeName }) => scopeName)
    .filter((scope) => scope === 'VolumeAttributesClass');

export const givesContainers = ({ spec }: LimitRange): boolean =>
  (spec?.limits ?? []).some(
    ({ type, default: limits, defaultRequest }) =>
      type === 'Container' && Object.keys({ ...limits, ...defaultRequest }).length > 0,
  );

const requirementsOf = ({ spec }: ResourceQuota): readonly Requirement[] => [
  ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(spec?.scopeSelector?.matchExpressions ?? []),
];

function fitsScope(requirement: Requirement, pod: PodTraits, defaults: PodDefaults): Counted {
  const asked = (fits: boolean): Counted => ({ counts: fits ? 'Yes' : 'No' });
  switch (requirement.scopeName) {
    case 'Terminating':
      return asked(pod.terminating);
    case 'NotTerminating':
      return asked(!pod.terminating);
    case 'BestEffort':
    case 'NotBestEffort':
      if (pod.bestEffort && defaults.containers === 'Given')
        return { counts: 'Unknown', why: 'a LimitRange there gives containers what they do not ask for' };
      return asked(pod.bestEffort === (requirement.scopeName === 'BestEffort'));
    case 'CrossNamespacePodAffinity':
      return asked(pod.crossNamespaceAffinity);
    case 'PriorityClass':
      return asked(fitsClass(requirement, pod.priorityClass ?? defaults.priorityClass));
    case 'VolumeAttributesClass':
      return { counts: 'No' };
    default:
      return { counts: 'Unknown', why: `its scope ${requirement.scopeName} is not known to this agent` };
  }
}

/** As label selectors do: what has none is not in any list. */
function fitsClass({ operator, values = [] }: Requirement, name: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return name !== undefined && values.includes(name);
    case 'NotIn':
      return name === undefined || !values.includes(name);
    case 'DoesNotExist':
      return name === undefined;
    default:
      return name !== undefined;
  }
}
