/** What a VolumeSnapshot and its content say about a snapshot. Pure. */
import type { VolumeSnapshot, VolumeSnapshotContent } from '../../kube/client/core.ts';
import { parseBytes } from '../../kube/quantity.ts';
import type { SnapshotState } from '../driver.ts';

/**
 * The cut is known as soon as the storage told a creation time and a handle, maybe hours before `readyToUse`. An error in
 * status is never final: external-snapshotter keeps trying, so it is only told along.
 */
export function decideSnapshotState(
  snapshot: VolumeSnapshot,
  content: VolumeSnapshotContent | undefined,
): SnapshotState {
  if (snapshot.metadata.deletionTimestamp !== undefined)
    return { phase: 'Failed', reason: `VolumeSnapshot ${snapshot.metadata.name} is being deleted` };
  const status = snapshot.status;
  if (content === undefined && status?.readyToUse === true)
    return { phase: 'Failed', reason: `VolumeSnapshot ${snapshot.metadata.name} lost its content` };
  const cutTime = cutTimeOf(content) ?? status?.creationTime;
  const handle = content?.status?.snapshotHandle ?? content?.spec.source.snapshotHandle;
  if (cutTime === undefined || handle === undefined) {
    const message = status?.error?.message ?? content?.status?.error?.message;
    return message === undefined ? { phase: 'Pending' } : { phase: 'Pending', message };
  }
  const ready = status?.readyToUse === true && content?.status?.readyToUse !== false;
  if (!ready) return { phase: 'Cut', cutTime, handle };
  return { phase: 'Ready', cutTime, handle, restoreSizeBytes: restoreSizeOf(snapshot, content) };
}

/** The content's name before the snapshot's status has it: external-snapshotter derives it from the uid. */
export function contentNameOf(snapshot: VolumeSnapshot): string {
  return (
    snapshot.status?.boundVolumeSnapshotContentName ??
    snapshot.spec.source.volumeSnapshotContentName ??
    `snapcontent-${snapshot.metadata.uid}`
  );
}

/** Nanoseconds since 1970 as RFC 3339 in milliseconds, rounded down: the cut was not later than told. */
function cutTimeOf(content: VolumeSnapshotContent | undefined): string | undefined {
  const nanoseconds = content?.status?.creationTime;
  return nanoseconds === undefined ? undefined : new Date(Math.floor(nanoseconds / 1e6)).toISOString();
}

function restoreSizeOf(snapshot: VolumeSnapshot, content: VolumeSnapshotContent | undefined): bigint | undefined {
  if (snapshot.status?.restoreSize !== undefined) return parseBytes(snapshot.status.restoreSize);
  const sizeBytes = content?.status?.restoreSize;
  return sizeBytes === undefined ? undefined : BigInt(sizeBytes);
}
