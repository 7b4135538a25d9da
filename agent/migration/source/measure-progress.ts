/** What a person sees while volumes move: bytes, rate and the time that is left, from the movers' newest reports. */
import type { MigrationStatus, MigrationVolume } from '../../../crds/v1alpha1/index.ts';
import type { MoverPhase, MoverReport } from '../../mover/contract.ts';
import type { ReceiveAnswer } from '../messages.ts';
import type { RunWatch } from '../run-watch.ts';

type Progress = NonNullable<MigrationStatus['progress']>;

/** How far a group is in what is done to it now. */
export interface GroupProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesSent: number;
  readonly bytesPerSecond: number;
  /** What the source's mover read and sent of each volume it has begun. */
  readonly volumes?: MoverReport['volumes'];
}

/** What the destination does by itself: of that the source's mover knows nothing. */
const doneThere: ReadonlySet<string | undefined> = new Set<MoverPhase>(['Scanning', 'Applying', 'Verifying']);

export function progressOf(
  { report, bytesPerSecond }: RunWatch,
  destination: ReceiveAnswer,
): GroupProgress | undefined {
  const bytesSent = report?.bytesSent ?? 0;
  if (destination.progress !== undefined && doneThere.has(destination.mover))
    return { ...destination.progress, bytesSent, ...volumesOf(report) };
  if (report === undefined) return undefined;
  const { bytesDone, bytesTotal } = report;
  return { bytesDone, bytesTotal, bytesSent, bytesPerSecond, ...volumesOf(report) };
}

/** Movers of an older version don't tell. */
const volumesOf = (report: MoverReport | undefined): Pick<GroupProgress, 'volumes'> =>
  report?.volumes === undefined ? {} : { volumes: report.volumes };

/** A volume under way, with what was read and sent of it so far; a mover that was started anew counts from its own start. */
export function underWay(volume: MigrationVolume, progress: GroupProgress | undefined): MigrationVolume {
  const seen = progress?.volumes?.find(({ name }) => name === volume.persistentVolumeClaim);
  const figures = seen === undefined ? {} : { bytesRead: seen.bytesRead, bytesSent: seen.bytesSent };
  return { ...volume, ...figures, status: 'InProgress' };
}

export interface ProgressFacts {
  readonly volumes: readonly MigrationVolume[];
  readonly groups: readonly GroupProgress[];
  readonly before: Progress | undefined;
}

export function measureProgress({ volumes, groups, before }: ProgressFacts): Progress {
  const finished = volumes.filter(({ digest }) => (digest ?? '') !== '');
  const sum = (numbers: readonly (number | undefined)[]) =>
    numbers.reduce((total: number, one) => total + (one ?? 0), 0);
  const arrived = sum(finished.map((volume) => volume.bytesTotal));
  const bytesDone = arrived + sum(groups.map((group) => group.bytesDone));
  const bytesTotal = arrived + sum(groups.map((group) => group.bytesTotal));
  const bytesSent = sum(finished.map((volume) => volume.bytesSent)) + sum(groups.map((group) => group.bytesSent));
  const bytesPerSecond = sum(groups.map((group) => group.bytesPerSecond));
  const left = Math.max(0, bytesTotal - bytesDone);
  const seconds = bytesPerSecond > 0 && bytesTotal > 0 ? Math.ceil(left / bytesPerSecond) : longestEtaSeconds;
  // Of a copy that stands still nobody can say when it ends.
  const etaSeconds = seconds < longestEtaSeconds ? seconds : undefined;
  return {
    bytesDone: Math.max(bytesDone, 0),
    bytesTotal: Math.max(bytesTotal, before?.bytesTotal ?? 0),
    bytesSent,
    bytesPerSecond: Math.round(bytesPerSecond),
    ...(etaSeconds === undefined ? {} : { etaSeconds }),
  };
}

const longestEtaSeconds = 30 * 86_400;
