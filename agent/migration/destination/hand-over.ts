/**
 * Gives a filled volume to its users: the PersistentVolume moves from the claim in the agent's namespace to a claim in the
 * user's. The volume is never unowned by a name of ours and never deletable meanwhile: its reclaim policy is Retain and its
 * label says where it goes, until the user's claim is bound. Each call does what can be done now; repeat until `Done`.
 */
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolume } from '../../../kube/client/core.ts';
import { isAlreadyExists, StorkError } from '../../../kube/errors.ts';
import { patchVolume } from './patch-volume.ts';

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
    const taken = await clients.own.find(core.persistentVolumeClaims, move.to, { signal });
    if (taken !== undefined && taken.spec?.volumeName !== volume) throw notOurs(move);
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
  if (target.metadata.deletionTimestamp !== undefined)
    return waiting(`persistentvolumeclaim ${move.to.name} is being deleted`);
  if (target.status?.phase !== 'Bound') return waiting(`persistentvolumeclaim ${move.to.name} is binding`);
  const bound = await clients.own.get(core.persistentVolumes, { name: volume.metadata.name }, { signal });
  await releaseVolume(clients.own, bound, signal);
  return { state: 'Done' };
}

/**
 * Gives up a hand-over. What its users have already got stays theirs; a volume that has not reached them is deleted by
 * its storage, because it is a copy that nobody knows of.
 */
export async function abandonHandOver(
  client: KubeClient,
  move: Pick<HandOver, 'from'> & { readonly to: Pick<HandOver['to'], 'namespace' | 'name'> },
  signal?: AbortSignal,
): Promise<void> {
  const labelSelector = `${handOverLabel}=${move.from.name}`;
  for await (const volume of client.list(core.persistentVolumes, { labelSelector, signal })) {
    const { claimRef } = volume.spec ?? {};
    const isOurs = [move.from, move.to].some(
      ({ namespace, name }) => claimRef?.namespace === namespace && claimRef.name === name,
    );
    // Anybody with rights on volumes can copy a label; a volume that was never claimed by us is not ours to delete.
    if (!isOurs) continue;
    const target = await client.find(core.persistentVolumeClaims, move.to, { signal });
    if (target?.spec?.volumeName === volume.metadata.name) await releaseVolume(client, volume, signal);
    else await discardVolume(client, volume, move.from, signal);
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
  const metadata = {
    labels: { [handOverLabel]: move.from.name },
    annotations: { [policyAnnotation]: volume.spec?.persistentVolumeReclaimPolicy ?? 'Delete' },
  };
  await patchVolume(client, volume, { metadata, spec: { persistentVolumeReclaimPolicy: 'Retain' } }, signal);
}

/** @throws StorkError `VolumeAmbiguous`: two volumes with our mark can't come from us, and one of them is somebody's */
async function findMoving(
  client: KubeClient,
  move: HandOver,
  signal: AbortSignal | undefined,
): Promise<PersistentVolume | undefined> {
  const labelSelector = `${handOverLabel}=${move.from.name}`;
  const found: PersistentVolume[] = [];
  for await (const volume of client.list(core.persistentVolumes, { labelSelector, signal })) found.push(volume);
  if (found.length < 2) return found[0];
  const names = found.map(({ metadata }) => metadata.name).join(', ');
  throw new StorkError({
    code: 'VolumeAmbiguous',
    message: `Several PersistentVolumes carry the label ${labelSelector}: ${names}`,
    about: `persistentvolume ${found[0]?.metadata.name}`,
    hint: 'Remove the label from the one that was not provisioned for this migration.',
    retryable: true,
  });
}

/** A claim that was deleted since it was bound leaves its uid behind; with it no other claim would ever bind. */
async function pointAtTarget(
  client: KubeClient,
  volume: PersistentVolume,
  move: HandOver,
  signal: AbortSignal | undefined,
): Promise<void> {
  const claimRef = volume.spec?.claimRef;
  const { namespace, name } = move.to;
  if (claimRef?.namespace === namespace && claimRef.name === name) {
    const target = await client.find(core.persistentVolumeClaims, move.to, { signal });
    if (claimRef.uid === undefined || claimRef.uid === target?.metadata.uid) return;
  }
  const target = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid: null, resourceVersion: null };
  await patchVolume(client, volume, { spec: { claimRef: target } }, signal);
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
    throw notOurs(move);
  }
}

function notOurs({ to }: HandOver): StorkError {
  return new StorkError({
    code: 'ClaimNotOurs',
    message: `persistentvolumeclaim ${to.namespace}/${to.name} was made by somebody else during the migration`,
    about: `persistentvolumeclaim ${to.namespace}/${to.name}`,
    hint: 'Delete it there if it is not needed, then migrate again.',
  });
}

const noMarks = { labels: { [handOverLabel]: null }, annotations: { [policyAnnotation]: null } };

/** The volume is its users' now: it gets back the policy its StorageClass gave it. */
async function releaseVolume(client: KubeClient, volume: PersistentVolume, signal?: AbortSignal): Promise<void> {
  const policy = volume.metadata.annotations?.[policyAnnotation];
  const spec = policy === undefined ? {} : { persistentVolumeReclaimPolicy: policy };
  await patchVolume(client, volume, { metadata: noMarks, spec }, signal);
}

/** Only a volume that was claimed once and is not any more is reclaimed: so it is given back to our claim that is gone. */
async function discardVolume(
  client: KubeClient,
  volume: PersistentVolume,
  from: HandOver['from'],
  signal?: AbortSignal,
): Promise<void> {
  const claimRef = volume.spec?.claimRef;
  const isBack = claimRef?.namespace === from.namespace && claimRef.name === from.name && claimRef.uid !== undefined;
  const back = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...from, uid: volume.metadata.uid ?? 'gone' };
  const spec = { persistentVolumeReclaimPolicy: 'Delete', ...(isBack ? {} : { claimRef: back }) };
  await patchVolume(client, volume, { metadata: noMarks, spec }, signal);
}

/**
 * A StorageClass that retains its volumes would keep what an unfinished migration provisioned: nobody knows of it, so it
 * goes with its claim. A volume that somebody made by hand keeps its policy.
 */
export async function letVolumeGo(
  client: KubeClient,
  claim: HandOver['from'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await client.find(core.persistentVolumeClaims, claim, { signal });
  const name = found?.spec?.volumeName;
  if (found === undefined || name === undefined) return;
  const volume = await client.find(core.persistentVolumes, { name }, { signal });
  if (volume?.spec?.claimRef?.uid !== found.metadata.uid) return;
  const wasProvisioned = volume?.metadata.annotations?.['pv.kubernetes.io/provisioned-by'] !== undefined;
  if (volume === undefined || !wasProvisioned || volume.spec?.persistentVolumeReclaimPolicy === 'Delete') return;
  await patchVolume(client, volume, { spec: { persistentVolumeReclaimPolicy: 'Delete' } }, signal);
}

const waiting = (message: string): HandOverState => ({ state: 'Waiting', message });
