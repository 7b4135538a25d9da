/** What a person sees while volumes are copied: bytes, rate and the time that is left, from the movers' newest reports. */
import type { MigrationStatus, MigrationVolume } from '../../../crds/v1alpha1/index.ts';
import type { RunWatch } from './source-services.ts';

type Progress = NonNullable<MigrationStatus['progress']>;

export interface ProgressFacts {
  readonly volumes: readonly MigrationVolume[];
  readonly watches: readonly RunWatch[];
  readonly before: Progress | undefined;
}

export function measureProgress(facts: ProgressFacts): Progress {
  const finished = facts.volumes.filter(({ digest }) => (digest ?? '') !== '');
  const sum = (numbers: readonly (number | undefined)[]) =>
    numbers.reduce((total: number, one) => total + (one ?? 0), 0);
  const reports = facts.watches.map(({ report }) => report).filter((report) => report !== undefined);
  const bytesDone = sum(finished.map(({ bytesTotal }) => bytesTotal)) + sum(reports.map((report) => report.bytesDone));
  const bytesTotal = sum(finished.map((volume) => volume.bytesTotal)) + sum(reports.map((report) => report.bytesTotal));
  const bytesSent = sum(finished.map((volume) => volume.bytesSent)) + sum(reports.map((report) => report.bytesSent));
  const bytesPerSecond = sum(facts.watches.map(({ bytesPerSecond: rate }) => rate));
  const left = Math.max(0, bytesTotal - bytesDone);
  const seconds = bytesPerSecond > 0 && bytesTotal > 0 ? Math.ceil(left / bytesPerSecond) : longestEtaSeconds;
  // Of a copy that stands still nobody can say when it ends.
  const etaSeconds = seconds < longestEtaSeconds ? seconds : undefined;
  return {
    bytesDone: Math.max(bytesDone, 0),
    bytesTotal: Math.max(bytesTotal, facts.before?.bytesTotal ?? 0),
    bytesSent,
    bytesPerSecond: Math.round(bytesPerSecond),
    ...(etaSeconds === undefined ? {} : { etaSeconds }),
  };
}

const longestEtaSeconds = 30 * 86_400;
