/** What a migration's spec selects, ready for the destination: collected, rewritten, in waves. Volumes' objects aside. */
import { applicationRegistrations, type Migration } from '../../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { collectResources } from '../../resources/collect/collect-resources.ts';
import { orderObjects } from '../../resources/order-objects.ts';
import { transformObject } from '../../resources/transform/transform-object.ts';
import type { Collected } from './source-services.ts';

export async function collectMigration(
  client: KubeClient,
  migration: Migration,
  context: { readonly namespaces: readonly string[]; readonly pairId: string },
  signal?: AbortSignal,
): Promise<Collected> {
  const { spec } = migration;
  const { namespaces, pairId } = context;
  const registrations = await listRegistrations(client, signal);
  const collected = await collectResources(
    { client },
    {
      namespaces,
      selectors: spec.selectors,
      excludeSelectors: spec.excludeSelectors,
      includeOptionalResourceTypes: spec.includeOptionalResourceTypes,
      excludeResourceTypes: spec.excludeResourceTypes,
      ignoreOwnerReferencesCheck: spec.ignoreOwnerReferencesCheck,
      includeNetworkPolicyWithCIDR: spec.includeNetworkPolicyWithCIDR,
      registrations,
    },
    signal,
  );
  const serviceAddresses = spec.skipServiceUpdate ? 'Keep' : 'Clear';
  const rewritten = collected.objects.map((object) =>
    transformObject(object, { pairId, namespaces, serviceAddresses, registrations }),
  );
  return {
    unreadable: collected.unreadable,
    waves: orderObjects(rewritten),
    skipped: [
      ...collected.skipped.map(({ ref, reason }) => ({
        kind: ref.kind,
        namespace: ref.namespace,
        name: ref.name,
        reason,
      })),
    ],
  };
}

async function listRegistrations(client: KubeClient, signal: AbortSignal | undefined) {
  const registered = [];
  for await (const registration of client.list(applicationRegistrations, { signal }))
    registered.push(...(registration.resources ?? []));
  return registered;
}
