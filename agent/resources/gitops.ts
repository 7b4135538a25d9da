/**
 * Who keeps an object in line with Git: Argo CD and Flux, by the marks they put on what they apply. Those marks belong to one
 * cluster: they do not travel, since a controller over there would take the copy for one of its own, and prune it. Pure.
 */
import type { AnyObject } from '../../kube/client/client.ts';

const argoTracking = 'argocd.argoproj.io/tracking-id';
const argoInstance = 'argocd.argoproj.io/instance';
const fluxKinds = { Kustomization: 'kustomize.toolkit.fluxcd.io', HelmRelease: 'helm.toolkit.fluxcd.io' } as const;

export const gitOpsMarks: ReadonlySet<string> = new Set([
  argoTracking,
  argoInstance,
  ...Object.values(fluxKinds).flatMap((prefix) => [`${prefix}/name`, `${prefix}/namespace`]),
]);

/** `Argo CD (application shop)`, `Flux (Kustomization flux-system/shop)`; `undefined`: nobody. */
export function findGitOpsOwner({ metadata }: AnyObject): string | undefined {
  const marks = { ...metadata.labels, ...metadata.annotations };
  const application = marks[argoTracking]?.split(':')[0] ?? marks[argoInstance];
  if (application !== undefined) return `Argo CD (application ${application})`;
  for (const [kind, prefix] of Object.entries(fluxKinds)) {
    const name = marks[`${prefix}/name`];
    if (name === undefined) continue;
    const namespace = marks[`${prefix}/namespace`];
    return `Flux (${kind} ${namespace === undefined ? name : `${namespace}/${name}`})`;
  }
  return undefined;
}
