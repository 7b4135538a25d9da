/** `stork-agent forget`: takes restore points away, by name or by a retention policy. Their bytes go with a later prune. */
import type { Ambient } from '../../../kube/ambient.ts';
import { StorkError } from '../../../kube/errors.ts';
import { forget, wouldForgetAll } from '../forget/forget.ts';
import { type ForgetGroup, type ForgetPolicy, type Grouping, groupings, planForget } from '../forget/plan-forget.ts';
import { keepsNothing, parseSpan, periods, type Retention } from '../forget/retention.ts';
import type { StoredSnapshot } from '../repository.ts';
import { readRoots } from '../verify/read-roots.ts';
import { type CareRun, commonUsage, runCareCommand, textsOf, wholeNumber, wrongArgument } from './care-arguments.ts';

const usage = `Usage: stork-agent forget --repo PLACE --password-file FILE [options] [ID...]

Forgets the named restore points, or those that no --keep option keeps. Run \`stork-agent prune\` to free their space.

${commonUsage}      --keep-last N           the newest N of each group (-1: all)
      --keep-hourly N         the newest of each of the last N hours that have one; likewise
      --keep-daily N  --keep-weekly N  --keep-monthly N  --keep-yearly N
      --keep-within SPAN      all within a span (1y6m7d12h) before the newest; likewise
      --keep-within-hourly SPAN  -daily  -weekly  -monthly  -yearly
      --keep-tag TAG[,TAG]    those with all of these tags; may be repeated
      --host NAME  --tag TAG[,TAG]  --path PATH    only restore points of these; may be repeated
  -g, --group-by WORDS        host, paths, tags; a policy counts in each group by itself (default host,paths)
      --time-zone NAME        where days begin (default UTC)
  -n, --dry-run               only tells what would be forgotten
      --unsafe-allow-remove-all   lets a group, or the repository, lose its last restore point
`;

export const runForgetCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('forget', { usage, options, words: 'Taken', run }, argv, ambient);

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;
const options = {
  'keep-last': text,
  ...Object.fromEntries(
    periods.flatMap((period) => [
      [`keep-${period}`, text],
      [`keep-within-${period}`, text],
    ]),
  ),
  'keep-within': text,
  'keep-tag': texts,
  host: texts,
  tag: texts,
  path: texts,
  'group-by': { type: 'string', short: 'g' },
  'time-zone': text,
  'dry-run': { type: 'boolean', short: 'n' },
  'unsafe-allow-remove-all': { type: 'boolean' },
} as const;

async function run({ context, options: given, words, answer }: CareRun): Promise<number> {
  const { snapshots } = await readRoots(context.repository, { signal: context.signal });
  const groups = words.length > 0 ? [namedGroup(snapshots, words)] : plannedGroups(snapshots, given);
  const leaving = groups.flatMap((group) => group.forget.map(({ id }) => id));
  const isDryRun = given['dry-run'] === true;
  const forgettingAll = given['unsafe-allow-remove-all'] === true ? 'Allowed' : 'Refused';
  if (leaving.length > 0 && !isDryRun) await forget(context, { snapshots: leaving, forgettingAll });
  answer({ dryRun: isDryRun, forgotten: leaving, groups: groups.map(jsonOf) }, [
    ...groups.flatMap(render),
    leaving.length === 0
      ? 'Nothing to forget.'
      : `${isDryRun ? 'Would forget' : 'Forgot'} ${leaving.length} of ${snapshots.length} restore points.`,
  ]);
  return 0;
}

function plannedGroups(
  snapshots: readonly StoredSnapshot[],
  given: CareRun['options'],
): readonly ForgetGroup<StoredSnapshot>[] {
  const policy = readPolicy(given);
  if (keepsNothing(policy.retention))
    throw wrongArgument('Say what to keep, or which restore points to forget; nothing was changed', '--keep-…');
  const { groups, emptied } = planForget(snapshots, policy);
  const [first] = emptied;
  if (first !== undefined && given['unsafe-allow-remove-all'] !== true)
    throw wouldForgetAll(`the group ${titleOf(first)}`);
  return groups;
}

function namedGroup(snapshots: readonly StoredSnapshot[], words: readonly string[]): ForgetGroup<StoredSnapshot> {
  const named = words.map((word) => {
    const matching = snapshots.filter(({ id }) => word.length >= 4 && id.startsWith(word));
    const [found] = matching;
    if (found !== undefined && matching.length === 1) return found;
    throw new StorkError({
      code: found === undefined ? 'RestorePointUnknown' : 'RestorePointAmbiguous',
      message: found === undefined ? 'There is no such restore point' : 'Several restore points begin like this',
      about: word,
      hint: 'Write the id, or its first 8 digits; nothing was changed.',
    });
  });
  return { keep: [], forget: [...new Set(named)] };
}

function readPolicy(given: CareRun['options']): ForgetPolicy {
  const count = (option: string) => wholeNumber(given[option], `--${option}`);
  const span = (option: string) => {
    const value = given[option];
    return typeof value === 'string' ? parseSpan(value, `--${option}`) : undefined;
  };
  const lists = (option: string) => textsOf(given[option]).map((list) => list.split(','));
  const forPeriods = <Value>(read: (option: string) => Value | undefined, prefix: string) =>
    Object.fromEntries(
      periods.flatMap((period) => {
        const value = read(`${prefix}${period}`);
        return value === undefined ? [] : [[period, value]];
      }),
    );
  const retention: Retention = {
    last: count('keep-last'),
    keep: forPeriods(count, 'keep-'),
    within: span('keep-within'),
    keepWithin: forPeriods(span, 'keep-within-'),
    tags: lists('keep-tag'),
  };
  return {
    retention,
    scope: { hosts: textsOf(given.host), tags: lists('tag'), paths: textsOf(given.path) },
    groupBy: readGrouping(given['group-by']),
    timeZone: readTimeZone(given['time-zone']),
  };
}

function readGrouping(value: unknown): readonly Grouping[] {
  if (typeof value !== 'string') return ['host', 'paths'];
  return value
    .split(',')
    .filter((word) => word !== '')
    .map((word) => groupings.find((one) => one === word || one === `${word}s`))
    .map((word) => word ?? wrongGrouping(value));
}

function wrongGrouping(value: string): never {
  throw wrongArgument(`${JSON.stringify(value)} is not made of host, paths, tags`, '--group-by');
}

function readTimeZone(value: unknown): string {
  if (typeof value !== 'string') return 'UTC';
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: value }).resolvedOptions().timeZone;
  } catch {
    throw wrongArgument(`${JSON.stringify(value)} is no time zone`, '--time-zone');
  }
}

const titleOf = ({ host, paths, tags }: ForgetGroup<StoredSnapshot>): string =>
  [
    host === undefined ? [] : [`host ${host}`],
    paths === undefined ? [] : [`paths ${paths.join(', ')}`],
    tags === undefined ? [] : [`tags ${tags.join(', ')}`],
  ]
    .flat()
    .join('; ') || 'of all restore points';

const jsonOf = ({ host, paths, tags, keep, forget: leaving }: ForgetGroup<StoredSnapshot>) => ({
  host,
  paths,
  tags,
  keep: keep.map(({ snapshot, reasons }) => ({ id: snapshot.id, time: snapshot.time, reasons })),
  forget: leaving.map(({ id, time }) => ({ id, time })),
});

function render(group: ForgetGroup<StoredSnapshot>): string[] {
  const line = (word: string, { id, time, hostname }: StoredSnapshot, reasons: readonly string[]) =>
    `${word.padEnd(7)} ${id.slice(0, 8)}  ${time.toISOString().slice(0, 19)}Z  ${hostname}  ${reasons.join(', ')}`.trimEnd();
  return [
    ...group.keep.map(({ snapshot, reasons }) => line('keep', snapshot, reasons)),
    ...group.forget.map((snapshot) => line('forget', snapshot, [])),
  ];
}
