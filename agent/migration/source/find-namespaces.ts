/** Which namespaces a migration's spec means now, by name and by label. */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import { core } from '../../../kube/client/core.ts';
import type { SourceServices } from './source-services.ts';

export interface WantedNamespace {
  readonly name: string;
  readonly exists: 'Yes' | 'No';
}

export async function findNamespaces(
  services: SourceServices,
  migration: Migration,
  signal: AbortSignal,
): Promise<readonly WantedNamespace[]> {
  const { namespaces = [], namespaceSelectors = {} } = migration.spec;
  const found = new Map<string, 'Yes' | 'No'>();
  for (const name of namespaces) {
    const namespace = await services.client.find(core.namespaces, { name }, { signal });
    found.set(name, namespace === undefined || namespace.metadata.deletionTimestamp !== undefined ? 'No' : 'Yes');
  }
  for (const [label, value] of Object.entries(namespaceSelectors)) {
    for await (const namespace of services.client.list(core.namespaces, { labelSelector: `${label}=${value}`, signal }))
      if (namespace.metadata.deletionTimestamp === undefined) found.set(namespace.metadata.name, 'Yes');
  }
  return [...found].map(([name, exists]) => ({ name, exists }));
}

/** The namespaces whose volumes, pods and resources this migration covers: those that are there, with or without volumes. */
export async function namespacesOf(
  services: SourceServices,
  migration: Migration,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const wanted = await findNamespaces(services, migration, signal);
  const existing = wanted.filter(({ exists }) => exists === 'Yes').map(({ name }) => name);
  const moved = (migration.status?.volumes ?? []).map(({ namespace }) => namespace ?? '');
  return [...new Set([...existing, ...moved])].filter((namespace) => namespace !== '');
}
