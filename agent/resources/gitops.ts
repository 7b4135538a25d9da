/**
 * Who keeps an object in line with Git: Argo CD and Flux, by the marks they put on what they apply. Those marks belong to one
 * cluster: they do not travel, since a controller over there would take the copy for one of its own, and prune it. Pure.
 */
import type { AnyObject, AnyResource } from '../../kube/client/client.ts';
import { storkNames } from './names.ts';

const argoTracking = 'argocd.argoproj.io/tracking-id';
const argoInstance = 'argocd.argoproj.io/instance';
/** What Argo CD tracks by when it is told to use labels; Helm and many charts set it too. */
const sharedInstance = 'app.kubernetes.io/instance';
const helmRelease = 'meta.helm.sh/release-name';
const fluxKinds = { Kustomization: 'kustomize.toolkit.fluxcd.io', HelmRelease: 'helm.toolkit.fluxcd.io' } as const;

export const gitOpsMarks: ReadonlySet<string> = new Set([
  argoTracking,
  argoInstance,
  ...Object.values(fluxKinds).flatMap((prefix) => [`${prefix}/name`, `${prefix}/namespace`]),
]);

/** Whether the cluster of an object has Argo CD's kinds: only there a label that others use too may be Argo CD's. */
export type ArgoCd = 'Installed' | 'Absent';

export const findArgoCd = (served: readonly Pick<AnyResource, 'group' | 'kind'>[]): ArgoCd =>
  served.some(({ group, kind }) => group === 'argoproj.io' && kind === 'Application') ? 'Installed' : 'Absent';

/** `Argo CD (application shop)`, `Flux (Kustomization flux-system/shop)`; `undefined`: nobody. */
export function findGitOpsOwner({ metadata }: AnyObject, argoCd: ArgoCd): string | undefined {
  const marks = { ...metadata.labels, ...metadata.annotations };
  const application =
    marks[argoTracking]?.split(':')[0] ??
    marks[argoInstance] ??
    (argoCd === 'Installed' ? trackedByLabel(marks) : undefined);
  if (application !== undefined) return `Argo CD (application ${application})`;
  for (const [kind, prefix] of Object.entries(fluxKinds)) {
    const name = marks[`${prefix}/name`];
    if (name === undefined) continue;
    const namespace = marks[`${prefix}/namespace`];
    return `Flux (${kind} ${namespace === undefined ? name : `${namespace}/${name}`})`;
  }
  return undefined;
}

/**
 * The label travels with a copy, and a release of Helm's has it, too: neither tells of Argo CD. A copy that Argo CD took
 * over by this label alone can't be told from any other copy.
 */
function trackedByLabel(marks: Readonly<Record<string, string>>): string | undefined {
  const isOthers = marks[helmRelease] !== undefined || marks[storkNames.migrationPair] !== undefined;
  return isOthers ? undefined : marks[sharedInstance];
}
