/** As whom a mover must run in a namespace: as root, unless Pod Security there admits none. */
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { admitsRoot } from '../mover/admits-root.ts';
import { identityOf, type MoverIdentity } from '../mover/mover-identity.ts';
import { gatherConsumers } from './source/gather-consumers.ts';

/** `undefined`: as root. */
export async function findIdentity(
  client: KubeClient,
  of: { readonly namespace: string; readonly claims: readonly string[] },
  signal?: AbortSignal,
): Promise<MoverIdentity | undefined> {
  const namespace = await client.find(core.namespaces, { name: of.namespace }, { signal });
  if (namespace === undefined || admitsRoot(namespace) === 'Yes') return undefined;
  const consumers = await gatherConsumers(client, of.namespace, of.claims, signal);
  const user = consumers.find(({ claims }) => of.claims.some((claim) => claims.includes(claim)));
  return identityOf(user?.spec);
}
