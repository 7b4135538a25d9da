/** Which restore points a policy keeps and which it forgets. Pure: no store, no clock. */
import type { StoredSnapshot } from '../repository.ts';
import { before, type Period, periods, type Retention, type Span } from './retention.ts';

export type ForgettableSnapshot = Pick<StoredSnapshot, 'id' | 'time' | 'hostname' | 'paths' | 'tags'>;

export interface ForgetScope {
  /** Only restore points of one of these hosts; all when empty. */
  readonly hosts: readonly string[];
  /** Only with all tags of one of these lists. */
  readonly tags: readonly (readonly string[])[];
  /** Only with all of these paths. */
  readonly paths: readonly string[];
}

export const groupings = ['host', 'paths', 'tags'] as const;
export type Grouping = (typeof groupings)[number];

export interface ForgetPolicy {
  readonly retention: Retention;
  readonly scope: ForgetScope;
  /** The policy is applied to each group by itself. */
  readonly groupBy: readonly Grouping[];
  /** Where days, weeks, months begin: an IANA name. */
  readonly timeZone: string;
}

export interface KeptSnapshot<Snapshot> {
  readonly snapshot: Snapshot;
  /** For people: `last`, `daily`, `within 1 year`, `tagged`. Never empty. */
  readonly reasons: readonly string[];
}

export interface ForgetGroup<Snapshot> {
  readonly host?: string | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Newest first, as `forget`. */
  readonly keep: readonly KeptSnapshot<Snapshot>[];
  readonly forget: readonly Snapshot[];
}

export interface ForgetPlan<Snapshot> {
  readonly groups: readonly ForgetGroup<Snapshot>[];
  /** Groups of which nothing would be left: never done unless somebody says that this is meant. */
  readonly emptied: readonly ForgetGroup<Snapshot>[];
}

export function planForget<Snapshot extends ForgettableSnapshot>(
  snapshots: readonly Snapshot[],
  { retention, scope, groupBy, timeZone }: ForgetPolicy,
): ForgetPlan<Snapshot> {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots.filter((one) => isInScope(one, scope))) {
    const key = JSON.stringify(groupOf(snapshot, groupBy));
    groups.set(key, [...(groups.get(key) ?? []), snapshot]);
  }
  const planned = [...groups].map(([, members]) => planGroup(members, retention, groupBy, timeZone));
  return { groups: planned, emptied: planned.filter(({ keep, forget }) => keep.length === 0 && forget.length > 0) };
}

function isInScope({ hostname, tags, paths }: ForgettableSnapshot, scope: ForgetScope): boolean {
  return (
    (scope.hosts.length === 0 || scope.hosts.includes(hostname)) &&
    (scope.tags.length === 0 || scope.tags.some((list) => hasAll(tags, list))) &&
    hasAll(paths, scope.paths)
  );
}

/** An empty list asks for no tags at all, as restic's. */
const hasAll = (tags: readonly string[], wanted: readonly string[]): boolean =>
  wanted.every((tag) => (tag === '' ? tags.length === 0 : tags.includes(tag)));

const groupOf = ({ hostname, paths, tags }: ForgettableSnapshot, groupBy: readonly Grouping[]) => ({
  host: groupBy.includes('host') ? hostname : undefined,
  paths: groupBy.includes('paths') ? [...paths].sort() : undefined,
  tags: groupBy.includes('tags') ? [...tags].sort() : undefined,
});

/** One rule of a policy, as it goes from the newest restore point to the oldest. */
interface Rule {
  readonly name: string;
  /** Undefined: the rule says nothing of it. Else the bucket it falls into. */
  bucket(time: Date, number: number): string | undefined;
  /** -1 without end. */
  readonly count: number;
}

function planGroup<Snapshot extends ForgettableSnapshot>(
  members: readonly Snapshot[],
  retention: Retention,
  groupBy: readonly Grouping[],
  timeZone: string,
): ForgetGroup<Snapshot> {
  const newestFirst = members.toSorted(
    (left, right) => right.time.getTime() - left.time.getTime() || (left.id < right.id ? -1 : 1),
  );
  const newest = newestFirst[0]?.time ?? new Date(0);
  const rules = rulesOf(retention, newest, calendar(timeZone)).map((rule) => ({
    ...rule,
    left: rule.count,
    bucketBefore: undefined as string | undefined,
  }));
  const keep: KeptSnapshot<Snapshot>[] = [];
  const forget: Snapshot[] = [];
  for (const [number, snapshot] of newestFirst.entries()) {
    const reasons: string[] = retention.tags.some((list) => hasAll(snapshot.tags, list)) ? ['tagged'] : [];
    for (const rule of rules) {
      const bucket = rule.left === 0 ? undefined : rule.bucket(snapshot.time, number);
      // The oldest stays as long as its rule has room: history shall not shrink while a new policy fills up.
      const isOldest = number === newestFirst.length - 1;
      if (bucket === undefined || (bucket === rule.bucketBefore && !isOldest)) continue;
      rule.bucketBefore = bucket;
      if (rule.left > 0) rule.left--;
      reasons.push(rule.name);
    }
    if (reasons.length > 0) keep.push({ snapshot, reasons });
    else forget.push(snapshot);
  }
  const [first] = newestFirst;
  return { ...(first === undefined ? {} : groupOf(first, groupBy)), keep, forget };
}

function rulesOf(retention: Retention, newest: Date, bucketOf: (time: Date, period: Period) => string): Rule[] {
  const { last, keep, within, keepWithin } = retention;
  const rules: Rule[] = [];
  if (last !== undefined) rules.push({ name: 'last', count: last, bucket: (_, number) => String(number) });
  for (const period of periods) {
    const count = keep[period];
    if (count !== undefined) rules.push({ name: period, count, bucket: (time) => bucketOf(time, period) });
  }
  const isWithin = (time: Date, span: Span) => time > before(newest, span);
  if (within !== undefined)
    rules.push({
      name: 'within',
      count: -1,
      bucket: (time, number) => (isWithin(time, within) ? String(number) : undefined),
    });
  for (const period of periods) {
    const span = keepWithin[period];
    if (span === undefined) continue;
    const bucket = (time: Date) => (isWithin(time, span) ? bucketOf(time, period) : undefined);
    rules.push({ name: `${period} within`, count: -1, bucket });
  }
  return rules;
}

/** Names of the hour, day, ISO week, month or year that a moment lies in. */
function calendar(timeZone: string): (time: Date, period: Period) => string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
  });
  return (time, period) => {
    const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
    const [year = '', month = '', day = ''] = [part.year, part.month, part.day];
    switch (period) {
      case 'hourly':
        return `${year}-${month}-${day} ${part.hour}`;
      case 'daily':
        return `${year}-${month}-${day}`;
      case 'weekly':
        return isoWeek(Number(year), Number(month), Number(day));
      case 'monthly':
        return `${year}-${month}`;
      case 'yearly':
        return year;
      default:
        return period satisfies never;
    }
  };
}

/** Weeks begin on Monday; a year's first holds its first Thursday. */
function isoWeek(year: number, month: number, day: number): string {
  const thursday = new Date(Date.UTC(year, month - 1, day));
  thursday.setUTCDate(thursday.getUTCDate() + 3 - ((thursday.getUTCDay() + 6) % 7));
  const dayOfYear = (thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / 86_400_000;
  return `${thursday.getUTCFullYear()} week ${Math.floor(dayOfYear / 7) + 1}`;
}
