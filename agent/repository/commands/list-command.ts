/** `stork-agent list`: the restore points of a repository. */
import type { Ambient } from '../../../kube/ambient.ts';
import { matchesSnapshot } from '../find-snapshot.ts';
import type { StoredSnapshot } from '../repository.ts';
import { type CareRun, commonUsage, runCareCommand } from './care-arguments.ts';
import { renderBytes } from './progress-line.ts';
import { readableSnapshots } from './readable-snapshots.ts';
import { filterOf, filterOptions, filterUsage } from './snapshot-arguments.ts';
import { damagedExitCode } from './verify-command.ts';

const usage = `Usage: stork-agent list --repo PLACE --password-file FILE [options]

Lists the restore points, oldest first.

${commonUsage}${filterUsage}`;

export const runListCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('list', { usage, options: filterOptions, run }, argv, ambient);

async function run(care: CareRun): Promise<number> {
  const { options: given, answer } = care;
  const filter = filterOf(given);
  const all = await readableSnapshots(care);
  const snapshots = all.snapshots.filter((one) => matchesSnapshot(one, filter));
  answer(snapshots, [...render(snapshots), `${snapshots.length} restore points`]);
  return all.damaged.length === 0 ? 0 : damagedExitCode;
}

function render(snapshots: readonly StoredSnapshot[]): string[] {
  const rows = snapshots.map(({ id, time, hostname, tags, summary, paths }) => [
    id.slice(0, 8),
    time.toISOString().slice(0, 19).replace('T', ' '),
    hostname,
    tags.join(','),
    summary === undefined ? '' : renderBytes(summary.bytes),
    paths.join(' '),
  ]);
  return renderColumns([['ID', 'TIME (UTC)', 'HOST', 'TAGS', 'SIZE', 'PATHS'], ...rows]);
}

function renderColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
