/**
 * Gives a filled volume to its users: the PersistentVolume moves from the claim in the agent's namespace to a claim in the
 * user's. The volume is never unowned by a name of ours and never deletable meanwhile: its reclaim policy is Retain and its
 * label says where it goes, until the user's claim is bound. Each call does what can be done now; repeat until `Done`.
 */
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolume } from '../../../kube/client/core.ts';
import { isAlreadyExists, StorkError } from '../../../kube/errors.ts';

export interface HandOver {
  /** The claim in the agent's namespace. */
  readonly from: { readonly namespace: string; readonly name: string };
  readonly to: {
    readonly namespace: string;
    readonly name: string;
    readonly sizeBytes: bigint;
    readonly accessModes: readonly string[];
    readonly volumeMode: 'Filesystem' | 'Block';
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
}

export interface HandOverClients {
  /** The agent itself: PersistentVolumes and its own claims. */
  readonly own: KubeClient;
  /** The grant's ServiceAccount: the user's claim. */
  readonly asPeer: KubeClient;
}

export const handOverLabel = 'stork.libopenstorage.org/hand-over';
const policyAnnotation = 'stork.libopenstorage.org/hand-over-reclaim-policy';

export type HandOverState = { readonly state: 'Done' } | { readonly state: 'Waiting'; readonly message: string };

export async function handOver(clients: HandOverClients, move: HandOver, signal?: AbortSignal): Promise<HandOverState> {
  const incoming = await clients.own.find(core.persistentVolumeClaims, move.from, { signal });
  if (incoming !== undefined) {
    const volume = incoming.spec?.volumeName;
    if (volume === undefined) return waiting(`the claim ${move.from.name} has no volume yet`);
    await keepVolume(clients.own, volume, move, signal);
    const { uid } = incoming.metadata;
    await clients.own.delete(core.persistentVolumeClaims, move.from, { uid, signal });
    const left = await clients.own.find(core.persistentVolumeClaims, move.from, { signal });
    if (left !== undefined) return waiting(`the claim ${move.from.name} is still held by its mover`);
  }
  const volume = await findMoving(clients.own, move, signal);
  if (volume === undefined) return await finished(clients.own, move, signal);
  await pointAtTarget(clients.own, volume, move, signal);
  await ensureTargetClaim(clients.asPeer, volume, move, signal);
  const target = await clients.own.get(core.persistentVolumeClaims, move.to, { signal });
  if (target.status?.phase !== 'Bound') return waiting(`persistentvolumeclaim ${move.to.name} is binding`);
  await releaseLabels(clients.own, volume, signal);
  return { state: 'Done' };
}

/** Gives up a hand-over that has not reached its users: the volume may be deleted again with its claim. */
export async function abandonHandOver(client: KubeClient, incomingName: string, signal?: AbortSignal): Promise<void> {
  for await (const volume of client.list(core.persistentVolumes, {
    labelSelector: `${handOverLabel}=${incomingName}`,
    signal,
  })) {
    if (volume.status?.phase !== 'Bound') await releaseLabels(client, volume, signal);
  }
}

async function finished(client: KubeClient, move: HandOver, signal: AbortSignal | undefined): Promise<HandOverState> {
  const target = await client.find(core.persistentVolumeClaims, move.to, { signal });
  if (target?.status?.phase === 'Bound') return { state: 'Done' };
  throw new StorkError({
    code: 'VolumeLost',
    message: `The volume filled for persistentvolumeclaim ${move.to.namespace}/${move.to.name} is gone`,
    about: `persistentvolumeclaim ${move.to.namespace}/${move.to.name}`,
    hint: 'Somebody deleted it while it was handed over. Migrate again.',
  });
}

async function keepVolume(
  client: KubeClient,
  name: string,
  move: HandOver,
  signal: AbortSignal | undefined,
): Promise<void> {
  const volume = await client.get(core.persistentVolumes, { name }, { signal });
  if (volume.metadata.labels?.[handOverLabel] === move.from.name) return;
  const body = {
    metadata: {
      resourceVersion: volume.metadata.resourceVersion,
      labels: { [handOverLabel]: move.from.name },
      annotations: { [policyAnnotation]: volume.spec?.persistentVolumeReclaimPolicy ?? 'Delete' },
    },
    spec: { persistentVolumeReclaimPolicy: 'Retain' },
  };
  await client.patch(
    core.persistentVolumes,
    { name },
    { type: 'merge', body },
    { fieldManager: 'stork-agent', signal },
  );
}

async function findMoving(
  client: KubeClient,
  move: HandOver,
  signal: AbortSignal | undefined,
): Promise<PersistentVolume | undefined> {
  const labelSelector = `${handOverLabel}=${move.from.name}`;
  for await (const volume of client.list(core.persistentVolumes, { labelSelector, signal })) return volume;
  return undefined;
}

async function pointAtTarget(
  client: KubeClient,
  volume: PersistentVolume,
  move: HandOver,
  signal: AbortSignal | undefined,
): Promise<void> {
  const claimRef = volume.spec?.claimRef;
  if (claimRef?.namespace === move.to.namespace && claimRef.name === move.to.name) return;
  const { name } = volume.metadata;
  const target = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: move.to.namespace, name: move.to.name };
  const body = [
    { op: 'test', path: '/metadata/resourceVersion', value: volume.metadata.resourceVersion },
    { op: 'replace', path: '/spec/claimRef', value: target },
  ] as const;
  await client.patch(core.persistentVolumes, { name }, { type: 'json', body }, { fieldManager: 'stork-agent', signal });
}

async function ensureTargetClaim(
  client: KubeClient,
  volume: PersistentVolume,
  move: HandOver,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { to } = move;
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: to.name, namespace: to.namespace, labels: to.labels, annotations: to.annotations },
    spec: {
      accessModes: [...to.accessModes],
      volumeMode: to.volumeMode,
      storageClassName: volume.spec?.storageClassName ?? '',
      volumeName: volume.metadata.name,
      resources: { requests: { storage: String(to.sizeBytes) } },
    },
  };
  try {
    await client.create(core.persistentVolumeClaims, claim, { fieldManager: 'stork', signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const existing = await client.get(core.persistentVolumeClaims, to, { signal });
    if (existing.spec?.volumeName === volume.metadata.name) return;
    throw new StorkError({
      code: 'ClaimNotOurs',
      message: `persistentvolumeclaim ${to.namespace}/${to.name} was made by somebody else during the migration`,
      about: `persistentvolumeclaim ${to.namespace}/${to.name}`,
      hint: 'Delete it there if it is not needed; the migrated volume is kept and handed over then.',
      cause: error,
    });
  }
}

async function releaseLabels(client: KubeClient, volume: PersistentVolume, signal?: AbortSignal): Promise<void> {
  const { name, annotations } = volume.metadata;
  const body = {
    metadata: { labels: { [handOverLabel]: null }, annotations: { [policyAnnotation]: null } },
    spec: { persistentVolumeReclaimPolicy: annotations?.[policyAnnotation] ?? 'Delete' },
  };
  await client.patch(
    core.persistentVolumes,
    { name },
    { type: 'merge', body },
    { fieldManager: 'stork-agent', signal },
  );
}

const waiting = (message: string): HandOverState => ({ state: 'Waiting', message });
