/**
 * Undo snapshots of claims that were deleted meanwhile, or made anew: nobody knows their driver from the claim any more. The
 * VolumeSnapshot is told by its name (of the run and the claim) and our marks, its content by its uid. A content with
 * deletionPolicy Retain would stay on the storage for ever, so that is set to Delete first. Repeatable.
 */
import type { KubeClient, ObjectKey } from '../../../kube/client/client.ts';
import { core, type VolumeSnapshotContent } from '../../../kube/client/core.ts';
import { isNotFound } from '../../../kube/errors.ts';
import { agentLabels } from '../names.ts';

/** What is still there, one sentence each; empty when all is gone, or was never ours. */
export async function releaseUnclaimed(
  client: KubeClient,
  { key, operation }: { readonly key: ObjectKey; readonly operation: string },
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const snapshot = await client.find(core.volumeSnapshots, key, { signal }).catch(onlyMissing);
  if (snapshot !== undefined && snapshot.metadata.labels?.[agentLabels.operation] !== operation) return [];
  const uid = snapshot?.metadata.uid;
  const contents = await findContents(client, key, uid, signal);
  for (const content of contents) await letGo(client, content, signal);
  if (snapshot !== undefined) {
    const left = await client.delete(core.volumeSnapshots, key, { uid, signal }).catch(onlyMissing);
    return left === undefined && contents.length === 0 ? [] : [`volumesnapshot ${key.namespace}/${key.name}`];
  }
  // Who deleted the VolumeSnapshot left this behind: by its class, or with the whole namespace.
  const left: string[] = [];
  for (const { metadata } of contents) {
    const own = { name: metadata.name };
    const options = { uid: metadata.uid, signal };
    const gone = (await client.delete(core.volumeSnapshotContents, own, options).catch(onlyMissing)) === undefined;
    if (!gone) left.push(`volumesnapshotcontent ${metadata.name}`);
  }
  return left;
}

/** What the storage's driver made for the snapshot; not what was imported under its name. */
async function findContents(
  client: KubeClient,
  key: ObjectKey,
  uid: string | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly VolumeSnapshotContent[]> {
  const found: VolumeSnapshotContent[] = [];
  try {
    for await (const content of client.list(core.volumeSnapshotContents, { signal })) {
      const { volumeSnapshotRef: ref, source } = content.spec;
      const isOfKey = ref.namespace === key.namespace && ref.name === key.name;
      if (isOfKey && (uid === undefined || ref.uid === uid) && source.volumeHandle !== undefined) found.push(content);
    }
  } catch (error) {
    onlyMissing(error);
  }
  return found;
}

async function letGo(
  client: KubeClient,
  { metadata, spec }: VolumeSnapshotContent,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (spec.deletionPolicy === 'Delete') return;
  const body = { metadata: { resourceVersion: metadata.resourceVersion }, spec: { deletionPolicy: 'Delete' } };
  const own = { name: metadata.name };
  await client.patch(core.volumeSnapshotContents, own, { type: 'merge', body }, { signal }).catch(onlyMissing);
}

/** A cluster without external-snapshotter has no such kinds, and nothing of them to remove. */
function onlyMissing(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
