/** The figures of a migration's status that follow from its lists: Stork's summary, and the table's `1/1`. Pure. */
import type { MigrationResource, MigrationStatus, MigrationVolume } from '../../../crds/v1alpha1/index.ts';

const isDone = (item: { readonly status?: string | undefined }) => item.status === 'Successful';

export function summarize(lists: {
  readonly volumes: readonly MigrationVolume[];
  readonly resources: readonly MigrationResource[];
  /** Resources beyond those listed. */
  readonly omitted?: MigrationStatus['omittedResources'];
  readonly elapsed?: string | undefined;
}): Pick<MigrationStatus, 'summary'> {
  const { volumes, omitted } = lists;
  // What was purged did not migrate.
  const resources = lists.resources.filter(({ status }) => status !== 'Purged');
  const movedVolumes = volumes.filter(isDone).length;
  const movedResources = resources.filter(isDone).length + (omitted?.successful ?? 0);
  const allResources = resources.length + (omitted?.successful ?? 0) + (omitted?.failed ?? 0);
  return {
    summary: {
      totalNumberOfVolumes: volumes.length,
      numOfMigratedVolumes: movedVolumes,
      totalNumberOfResources: allResources,
      numOfMigratedResources: movedResources,
      totalBytesMigrated: volumes.reduce((sum, volume) => sum + (volume.bytesSent ?? 0), 0),
      volumes: `${movedVolumes}/${volumes.length}`,
      resources: `${movedResources}/${allResources}`,
      elapsed: lists.elapsed,
    },
  };
}

/** `1h2m3s`, as Go prints durations in whole seconds. */
export function renderElapsed(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
