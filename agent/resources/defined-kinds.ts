/** The kinds that the cluster's CRDs define, straight from them: discovery is cached and learns of a new one late. */
import type { KubeClient, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';

/** One entry per served version, stored versions first. @throws ApiError Forbidden for who may not list CRDs */
export async function listDefinedKinds(client: KubeClient, signal?: AbortSignal): Promise<readonly Resource[]> {
  const kinds: Resource[] = [];
  for await (const { spec } of client.list(core.customResourceDefinitions, { signal })) {
    const { plural, kind } = spec.names;
    const versions = spec.versions
      .filter((version) => version.served)
      .toSorted((a, b) => Number(b.storage) - Number(a.storage));
    const namespaced = spec.scope === 'Namespaced';
    for (const { name } of versions) kinds.push({ group: spec.group, version: name, plural, kind, namespaced });
  }
  return kinds;
}
