/** The kinds that this cluster serves, those of CRDs made a moment ago too: discovery learns of them late. */
import type { KubeClient } from '../../../kube/client/client.ts';
import { listDefinedKinds } from '../../resources/defined-kinds.ts';

export interface ServedKindName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export async function listServedKinds(client: KubeClient, signal?: AbortSignal): Promise<readonly ServedKindName[]> {
  const found = new Map<string, ServedKindName>();
  for (const one of [...(await client.discover({ signal })), ...(await listDefinedKinds(client, signal))]) {
    if (one.plural.includes('/')) continue;
    const { group, version, kind } = one;
    found.set(`${group}/${version}/${kind}`, { group, version, kind });
  }
  return [...found.values()];
}
