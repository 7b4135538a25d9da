/** The story of a Migration: who asked, how long each part took, what moved, what was left out and why. Pure. */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import { formatBytes } from '../format-bytes.ts';
import { formatDuration, formatElapsed, formatTime } from '../format-time.ts';
import { printable } from '../render-table.ts';
import { bytesSentOf, elapsedOf, progressPartsOf, resourcesOf, volumesOf } from '../views/migration-view.ts';
import { conditionsSection, facts, section, tableSection } from './section.ts';

/** A longer list is in `-o yaml`. */
const rowsShown = 50;

export function tellMigration(migration: Migration, now: Date): readonly string[] {
  const { metadata, spec, status } = migration;
  return [
    facts([
      ['Migration', `${metadata.namespace}/${metadata.name}`],
      ['Operation', metadata.uid],
      ['Asked', askedOf(migration)],
      ['To', spec.clusterPair],
      ['Of', scopeOf(spec)],
      ['State', stateOf(status)],
      ['Took', elapsedOf(migration, now)],
      ['Active side', status?.activeSide],
    ]),
    ...stagesSection(migration, now),
    ...volumesSection(migration),
    ...resourcesSection(migration),
    ...skippedSection(status),
    ...ruleSection(status),
    ...planSection(status),
    ...conditionsSection(status?.conditions),
  ];
}

/** The stamp of the requester is on it where the agent's webhook runs. */
function askedOf({ metadata }: Migration): string {
  const by = Object.entries(metadata.annotations ?? {}).find(([name]) => name.endsWith('/requester'))?.[1];
  const at = formatTime(metadata.creationTimestamp);
  return by === undefined ? at : `${at} by ${userOf(by).slice(0, 300)}`;
}

/** The stamp is JSON; what can't be read is shown as it is. */
function userOf(stamp: string): string {
  try {
    const { username } = JSON.parse(stamp) as { readonly username?: unknown };
    return typeof username === 'string' && username !== '' ? username : stamp;
  } catch {
    return stamp;
  }
}

function scopeOf({ namespaces = [], namespaceSelectors = {}, includeVolumes, includeResources }: Migration['spec']) {
  const selectors = Object.entries(namespaceSelectors).map(([key, value]) => `${key}=${value}`);
  const what = [includeVolumes ? 'volumes' : '', includeResources ? 'resources' : ''].filter((one) => one !== '');
  const labelled = selectors.length === 0 ? '' : ` namespaces labelled ${selectors.join(' or ')}`;
  return `${what.join(' and ')} of ${namespaces.join(', ')}${labelled}`;
}

function stateOf(status: Migration['status']): string {
  const state = [status?.stage || 'Initial', status?.status].filter((one) => one).join(', ');
  return status?.reason ? `${state}: ${status.reason}` : state;
}

/** From what status keeps for good; the events tell each step for as long as they live. */
function stagesSection({ metadata, status }: Migration, now: Date): readonly string[] {
  const ends = [
    ['until the volumes arrived', status?.volumeMigrationFinishTimestamp],
    ['until the resources arrived', status?.resourceMigrationFinishTimestamp],
    ['until it was cleaned up', status?.finishTimestamp],
  ] as const;
  const rows: string[][] = [];
  let from = metadata.creationTimestamp;
  for (const [what, ended] of ends) {
    if (ended === undefined) continue;
    rows.push([what, formatElapsed(from, ended, now), formatTime(ended)]);
    from = ended;
  }
  if (status?.finishTimestamp === undefined && status?.stageStartTimestamp !== undefined)
    rows.push([`in stage ${status.stage || 'Initial'}`, formatElapsed(status.stageStartTimestamp, undefined, now), '']);
  return tableSection('Stages', ['PART', 'TOOK', 'ENDED'], rows);
}

function volumesSection(migration: Migration): readonly string[] {
  const { spec, status } = migration;
  const volumes = status?.volumes ?? [];
  if (!spec.includeVolumes || volumes.length === 0) return [];
  const rows = volumes
    .slice(0, rowsShown)
    .map((one) => [
      `${one.namespace}/${one.persistentVolumeClaim}`,
      one.status ?? '',
      one.mode ?? '',
      one.snapshot === undefined || one.snapshot === '' ? 'live volume' : formatTime(one.cutTimestamp),
      formatBytes(one.bytesRead ?? 0),
      formatBytes(one.bytesSent ?? 0),
      one.reason ?? '',
    ]);
  const columns = ['CLAIM', 'STATUS', 'MODE', 'AS OF', 'READ', 'SENT', 'REASON'];
  return [...tableSection(`Volumes (${volumesOf(migration)}; ${rateOf(migration)})`, columns, rows), ...more(volumes)];
}

/** While it copies at its present rate; afterwards on average from the beginning to the last volume. */
function rateOf(migration: Migration): string {
  const { metadata, status } = migration;
  const sent = `${formatBytes(bytesSentOf(migration))} sent`;
  const now = status?.progress?.bytesPerSecond;
  const tookMs =
    Date.parse(status?.volumeMigrationFinishTimestamp ?? '') - Date.parse(metadata.creationTimestamp ?? '');
  if (Number.isNaN(tookMs)) return now === undefined ? sent : [sent, ...progressPartsOf(migration)].join(', ');
  return tookMs <= 0
    ? sent
    : `${sent} in ${formatDuration(tookMs)}, ${formatBytes((bytesSentOf(migration) * 1000) / tookMs)}/s`;
}

const more = (all: readonly unknown[]) =>
  all.length > rowsShown ? [`  and ${all.length - rowsShown} more: see -o yaml`] : [];

/** Those that did not simply arrive: skipped, failed, changed on their way. */
function resourcesSection(migration: Migration): readonly string[] {
  const { spec, status } = migration;
  const resources = status?.resources ?? [];
  if (!spec.includeResources || resources.length === 0) return [];
  const notable = resources.filter(
    (one) => one.status !== 'Successful' || (one.reason ?? '') !== '' || one.transformedBy,
  );
  const rows = notable
    .slice(0, rowsShown)
    .map((one) => [
      `${one.kind} ${one.namespace ? `${one.namespace}/` : ''}${one.name}`,
      one.status ?? '',
      [one.reason, one.transformedBy === undefined ? '' : `changed by ${one.transformedBy}`].filter(Boolean).join('; '),
    ]);
  const title = `Resources (${resourcesOf(migration)})`;
  if (rows.length === 0) return [`${title}: each arrived`];
  return [...tableSection(title, ['RESOURCE', 'STATUS', 'REASON'], rows), ...more(notable)];
}

/** Left out on purpose: what the namespace has and the destination does not get. */
function skippedSection(status: Migration['status']): readonly string[] {
  const { total = 0, groups = [] } = status?.skipped ?? {};
  const rows = groups.map(({ kind, count, reason, names }) => [
    kind,
    String(count),
    reason,
    `${names.join(', ')}${count > names.length ? ' ...' : ''}`,
  ]);
  const told = groups.reduce((sum, { count }) => sum + count, 0);
  const rest = total > told ? [`  and ${total - told} more`] : [];
  return [...tableSection(`Left out on purpose (${total})`, ['KIND', 'COUNT', 'REASON', 'NAMES'], rows), ...rest];
}

function ruleSection(status: Migration['status']): readonly string[] {
  const { pre, post, blockedMilliseconds } = status?.rule ?? {};
  const rows = [pre, post].flatMap((run) =>
    (run?.steps ?? []).flatMap(({ id, targets }) =>
      targets.map((target) => [
        `${run?.position} ${run?.rule} ${id}`,
        `${target.namespace}/${target.pod}`,
        target.state,
        target.heldMs === undefined ? '' : `${target.heldMs} ms`,
        [target.reason, target.message].filter(Boolean).join(': '),
      ]),
    ),
  );
  const held = blockedMilliseconds === undefined ? '' : ` (writers blocked for ${blockedMilliseconds} ms)`;
  return tableSection(`Rules${held}`, ['RULE', 'POD', 'STATE', 'HELD', 'REASON'], rows.slice(0, rowsShown));
}

function planSection(status: Migration['status']): readonly string[] {
  const { missing = [], objects = [] } = status?.plan ?? {};
  const skipped = objects.filter(({ action }) => action === 'Skip' || action === 'Conflict');
  const lines = [
    ...missing.map((sentence) => `missing: ${printable(sentence)}`),
    ...skipped
      .slice(0, rowsShown)
      .map((one) =>
        printable(`${one.action} ${one.kind} ${one.namespace ?? ''}/${one.name} ${one.reason ?? ''}`).trimEnd(),
      ),
  ];
  return section('Plan', lines.join('\n'));
}
