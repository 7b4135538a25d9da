/**
 * Looks for a live Go Stork: two controllers over one set of objects would fight.
 * tidy: driver-names because the image of Go Stork carries the name of its maker.
 */
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type Deployment } from '../../kube/client/core.ts';

/** `namespace/name` of its Deployment, if one has replicas. */
export async function findGoStork(client: KubeClient, signal: AbortSignal): Promise<string | undefined> {
  for await (const deployment of client.list(core.deployments, { signal })) {
    if (isGoStork(deployment)) return `${deployment.metadata.namespace}/${deployment.metadata.name}`;
  }
  return undefined;
}

export function isGoStork({ metadata, spec }: Deployment): boolean {
  if (spec?.replicas === 0) return false;
  const labels = { ...metadata.labels, ...spec?.template.metadata?.labels };
  if (labels.name !== 'stork' && metadata.name !== 'stork') return false;
  return (
    spec?.template.spec?.containers.some(({ image }) =>
      /(^|\/)(openstorage|portworx)\/stork([:@]|$)/.test(image ?? ''),
    ) ?? false
  );
}
