/** Pieces that a description of an object is made of; what others wrote can't steer the terminal. Pure. */
import type { Condition } from '../../../crds/v1alpha1/index.ts';
import type { Event } from '../../../kube/client/core.ts';
import { formatTime } from '../format-time.ts';
import { printable, renderTable } from '../render-table.ts';

/** `Name:   value` lines, their values in one column; an empty value leaves its line out. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[]): string {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + 2;
  return shown.map(([name, value]) => `${`${name}:`.padEnd(width)} ${printable(value ?? '')}`).join('\n');
}

/** A title over indented lines; nothing when there is nothing to say. */
export function section(title: string, body: string): readonly string[] {
  return body === '' ? [] : [`${title}:\n${body.replaceAll(/^(?=.)/gm, '  ')}`];
}

export function tableSection(
  title: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  return rows.length === 0 ? [] : section(title, renderTable(columns, rows));
}

export function conditionsSection(conditions: readonly Condition[] | undefined): readonly string[] {
  const rows = (conditions ?? []).map(({ type, status, reason, lastTransitionTime, message }) => [
    ...[type, status, reason, formatTime(lastTransitionTime)],
    message ?? '',
  ]);
  return tableSection('Conditions', ['TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], rows);
}

const eventsShown = 30;

/** The latest last, as `kubectl describe` has them. */
export function eventsSection(events: readonly Event[]): readonly string[] {
  const timeOf = (event: Event) => event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';
  const sorted = [...events].sort((one, other) => Date.parse(timeOf(one)) - Date.parse(timeOf(other)));
  const rows = sorted
    .slice(-eventsShown)
    .map((event) => [
      formatTime(timeOf(event)),
      event.type ?? '',
      event.reason ?? '',
      (event.count ?? 1) > 1 ? `x${event.count}` : '',
      event.message ?? '',
    ]);
  return rows.length === 0 ? ['Events: none (they are kept for an hour)'] : tableSection('Events', eventColumns, rows);
}

const eventColumns = ['TIME', 'TYPE', 'REASON', 'COUNT', 'MESSAGE'];
