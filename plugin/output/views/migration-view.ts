/** Migrations as PROMISES P25 shows them: CLUSTERPAIR STAGE STATUS VOLUMES RESOURCES CREATED ELAPSED. */
import { type Migration, migrations } from '../../../crds/v1alpha1/index.ts';
import { formatBytes } from '../format-bytes.ts';
import { formatDuration, formatElapsed, formatTime } from '../format-time.ts';
import type { ObjectView } from '../object-view.ts';

export const migrationView: ObjectView<Migration> = {
  kind: migrations,
  words: ['migration', 'migrations', 'mig'],
  title: 'Migration',
  completes: 'Migrations',
  columns: [
    { name: 'CLUSTERPAIR', cell: (migration) => migration.spec.clusterPair },
    { name: 'STAGE', cell: (migration) => migration.status?.stage ?? '' },
    { name: 'STATUS', cell: (migration) => migration.status?.status ?? '' },
    { name: 'VOLUMES', cell: volumesOf },
    { name: 'RESOURCES', cell: resourcesOf },
    { name: 'CREATED', cell: (migration) => formatTime(migration.metadata.creationTimestamp) },
    { name: 'ELAPSED', cell: (migration, now) => elapsedOf(migration, now) },
    { name: 'SKIPPED', wide: 'Yes', cell: skippedOf },
    { name: 'PROGRESS', wide: 'Yes', cell: (migration) => progressPartsOf(migration).join(', ') },
    { name: 'TOTAL BYTES TRANSFERRED', wide: 'Yes', cell: (migration) => formatBytes(bytesSentOf(migration)) },
    { name: 'ACTIVE SIDE', wide: 'Yes', cell: (migration) => migration.status?.activeSide ?? '' },
  ],
};

/** `done/total`; `N/A` where none were asked for. */
export function volumesOf({ spec, status }: Migration): string {
  if (!spec.includeVolumes) return 'N/A';
  const { summary, volumes = [] } = status ?? {};
  const done = volumes.filter((volume) => volume.status === 'Successful').length;
  return (
    summary?.volumes ?? `${summary?.numOfMigratedVolumes ?? done}/${summary?.totalNumberOfVolumes ?? volumes.length}`
  );
}

export function resourcesOf({ spec, status }: Migration): string {
  if (!spec.includeResources) return 'N/A';
  const { summary, resources = [] } = status ?? {};
  const done = resources.filter((resource) => resource.status === 'Successful').length;
  const [of, all] = [summary?.numOfMigratedResources ?? done, summary?.totalNumberOfResources ?? resources.length];
  return summary?.resources ?? `${of}/${all}`;
}

/** How many resources were left out on purpose; empty while nobody knows. */
export function skippedOf({ status }: Migration): string {
  return status?.skipped === undefined ? '' : String(status.skipped.total);
}

/** While volumes move: share, bytes, rate, time that is left; nothing before and after. */
export function progressPartsOf({ status }: Migration): readonly string[] {
  const { progress, stage } = status ?? {};
  if (progress?.bytesTotal === undefined || progress.bytesTotal === 0 || stage === 'Final') return [];
  const done = progress.bytesDone ?? 0;
  const percent = Math.min(100, Math.floor((100 * done) / progress.bytesTotal));
  const parts = [`${percent}%`, `${formatBytes(done)} of ${formatBytes(progress.bytesTotal)}`];
  if (progress.bytesPerSecond !== undefined) parts.push(`${formatBytes(progress.bytesPerSecond)}/s`);
  if (progress.etaSeconds !== undefined) parts.push(`ETA ${formatDuration(progress.etaSeconds * 1000)}`);
  return parts;
}

export function elapsedOf({ metadata, status }: Migration, now: Date): string {
  return formatElapsed(metadata.creationTimestamp, status?.finishTimestamp, now);
}

export function bytesSentOf({ status }: Migration): number {
  return status?.progress?.bytesSent ?? status?.summary?.totalBytesMigrated ?? 0;
}
