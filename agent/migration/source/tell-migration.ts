/** What the log and the events of a Migration say beside its stages: figures, and who asked. Pure. */
import type { Migration, MigrationStatus } from '../../../crds/v1alpha1/index.ts';

/**
 * One sentence on what was done when a stage ended; `undefined` where its name says all.
 * @param status as it is written at the end of the stage
 * @param asked the user who asked, where that is known
 */
export function tellStage(
  migration: Migration,
  status: MigrationStatus,
  asked: string | undefined,
): string | undefined {
  const { summary, volumes = [] } = status;
  const sent = `${summary?.totalBytesMigrated ?? 0} bytes sent`;
  const by = asked === undefined ? '' : `, asked for by ${asked}`;
  switch (migration.status?.stage) {
    case undefined:
    case '':
      return `${volumes.length} volumes of ${(migration.spec.namespaces ?? []).join(', ')} go to ${migration.spec.clusterPair}${by}`;
    case 'Volumes':
      return `${summary?.volumes ?? '0/0'} volumes arrived and were verified, ${sent}`;
    case 'Applications':
      return `${summary?.resources ?? '0/0'} resources migrated. ${status.activeSide ?? ''}`.trimEnd();
    case 'Final':
      return `${summary?.volumes ?? '0/0'} volumes, ${summary?.resources ?? '0/0'} resources, ${sent} in ${summary?.elapsed ?? '0s'}${by}`;
    default:
      return undefined;
  }
}
