/** As whom a mover must run in a namespace of users: as root, unless Pod Security there admits none. */
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { MoverRole } from '../mover/contract.ts';
import { identityFor, identityOf, type MoverIdentity } from '../mover/mover-identity.ts';
import { admitsRoot } from '../resources/pod-security.ts';
import { gatherConsumers } from './source/gather-consumers.ts';

interface Task {
  readonly role: MoverRole;
  readonly namespace: string;
  readonly volumes: readonly { readonly claim: string; readonly volumeMode: 'Filesystem' | 'Block' }[];
  /** Of what uses the claims elsewhere, for when nothing does here. */
  readonly otherwise?: MoverIdentity | undefined;
}

/** `undefined`: as root. */
export async function findIdentity(
  client: KubeClient,
  { role, namespace, volumes, otherwise }: Task,
  signal?: AbortSignal,
): Promise<MoverIdentity | undefined> {
  if (await isRootAdmitted(client, namespace, signal)) return undefined;
  const claims = volumes.map(({ claim }) => claim);
  const consumers = await gatherConsumers(client, namespace, claims, signal);
  const user = consumers.find((consumer) => claims.some((claim) => consumer.claims.includes(claim)));
  const hasDevices = volumes.some(({ volumeMode }) => volumeMode === 'Block');
  const identity = user === undefined && otherwise !== undefined ? otherwise : identityOf(user?.spec);
  return identityFor({ role, hasDevices }, identity);
}

/** One that is not there yet admits what the agent will make of it. */
export async function isRootAdmitted(client: KubeClient, name: string, signal?: AbortSignal): Promise<boolean> {
  const namespace = await client.find(core.namespaces, { name }, { signal });
  return namespace === undefined || admitsRoot(namespace);
}
