/** The kinds that this cluster serves, by name, as a peer is told them. */
import type { KubeClient } from '../../../kube/client/client.ts';
import { listServedKinds } from '../../resources/defined-kinds.ts';

export interface ServedKindName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export async function listKindNames(client: KubeClient, signal?: AbortSignal): Promise<readonly ServedKindName[]> {
  const found = new Map<string, ServedKindName>();
  for (const { group, version, kind, plural } of await listServedKinds(client, signal)) {
    if (!plural.includes('/')) found.set(`${group}/${version}/${kind}`, { group, version, kind });
  }
  return [...found.values()];
}
