/** The ApplicationRegistrations in force: the cluster's own first, then those built in for kinds that none of them names. */
import { applicationRegistrations, type RegisteredResource } from '../../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { isForbidden, isNotFound } from '../../../kube/errors.ts';
import { shippedRegistrations } from './shipped-registrations.ts';

export async function listRegistrations(
  client: KubeClient,
  signal?: AbortSignal,
): Promise<readonly RegisteredResource[]> {
  const own: RegisteredResource[] = [];
  try {
    for await (const registration of client.list(applicationRegistrations, { signal }))
      own.push(...(registration.resources ?? []));
  } catch (error) {
    // Who may not read them, or has no such kind, is left with those built in.
    if (!isForbidden(error) && !isNotFound(error)) throw error;
  }
  const named = new Set(own.map(({ group, kind }) => `${group}/${kind}`));
  return [...own, ...shippedRegistrations.filter(({ group, kind }) => !named.has(`${group}/${kind}`))];
}
