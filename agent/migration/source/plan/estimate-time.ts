/** How long the volumes would take, from how long earlier ones took over the same pair. Pure. */
import type { Migration, MigrationPlan } from '../../../../crds/v1alpha1/index.ts';
import type { PlannedVolume } from './plan-volumes.ts';

export type Estimate = NonNullable<MigrationPlan['estimate']>;

/** A smaller run is mostly starting and ending movers: its speed says nothing about a larger one. */
const telling = { bytes: 64 * 1024 * 1024, seconds: 1 } as const;
/** Of the last runs. */
const runsUsed = 5;

/** What an earlier migration tells of the speed. */
export interface EarlierRun {
  readonly endMs: number;
  readonly bytesPerSecond: number;
}

/** `linkBytesPerSecond`: measured now; used when no earlier run tells, as what the volumes take at least. */
export function estimateTime(
  volumes: readonly PlannedVolume[],
  earlier: readonly EarlierRun[],
  linkBytesPerSecond?: number,
): Estimate {
  if (volumes.length === 0) return { seconds: 0, how: 'there are no volumes to move' };
  const speeds = earlier
    .toSorted((a, b) => b.endMs - a.endMs)
    .map((run) => run.bytesPerSecond)
    .slice(0, runsUsed);
  const mean = speeds.length === 0 ? linkBytesPerSecond : speeds.reduce((sum, one) => sum + one, 0) / speeds.length;
  const unknown = volumes.filter(({ usedBytes }) => usedBytes === undefined).length;
  if (mean === undefined)
    return { how: `unknown: no earlier migration to this pair moved more than ${telling.bytes / 1024 ** 2} MiB` };
  const rate = Math.max(1, Math.round(mean));
  const of = speeds.length === 1 ? 'the last migration' : `the last ${speeds.length} migrations`;
  const speed = speeds.length === 0 ? 'the link as measured now' : `${of} to this pair`;
  if (unknown > 0)
    return {
      bytesPerSecond: rate,
      how: `unknown: nobody says how much ${unknown} of ${volumes.length} volumes hold; the speed is that of ${speed}`,
    };
  const bytes = volumes.reduce((sum, { usedBytes = 0 }) => sum + usedBytes, 0);
  const updates = volumes.some(({ action }) => action === 'Update');
  if (speeds.length === 0) {
    const less = updates ? ', and of volumes that are updated only what differs is sent' : '';
    return {
      seconds: Math.ceil(bytes / rate),
      bytesPerSecond: rate,
      how: `with the speed of ${speed}; no earlier migration tells how fast the disks and movers are${less}`,
    };
  }
  const most = updates ? ', at most: of volumes that are updated only what differs is sent' : '';
  return { seconds: Math.ceil(bytes / rate), bytesPerSecond: rate, how: `with the speed of ${speed}${most}` };
}

/** Bytes that new volumes held over the time from the request to the last one's proof; `undefined`: too few to tell. */
export function readRun({ metadata, status }: Migration): EarlierRun | undefined {
  const moved = (status?.volumes ?? []).filter((volume) => volume.mode === 'fresh' && volume.status === 'Successful');
  const bytes = moved.reduce((sum, { bytesTotal = 0 }) => sum + bytesTotal, 0);
  const endMs = Date.parse(status?.volumeMigrationFinishTimestamp ?? '');
  const seconds = (endMs - Date.parse(metadata.creationTimestamp ?? '')) / 1000;
  if (!(bytes >= telling.bytes && seconds >= telling.seconds)) return undefined;
  return { endMs, bytesPerSecond: bytes / seconds };
}
