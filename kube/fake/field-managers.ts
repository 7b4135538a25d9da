/**
 * Who owns which field, and what an apply or an update does to that: structured-merge-diff's rules for one version.
 * Pure; the store keeps the managers beside the object and shows them as `metadata.managedFields` only when asked.
 */
import type { FieldCause } from './api-refusals.ts';
import { fieldValues, mergeApplied, pathSeparator, removePaths, renderPath } from './field-set.ts';
import type { Fields } from './json-value.ts';
import type { Shape } from './shape.ts';

export interface FieldManager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly subresource: string;
  readonly fields: ReadonlySet<string>;
}

/** Fields nobody owns: they identify the object or are the server's. */
const unowned: ReadonlySet<string> = new Set(
  ['apiVersion', 'kind']
    .map((name) => `f:${name}`)
    .concat(
      ['name', 'namespace', 'generateName', 'uid', 'resourceVersion', 'generation', 'creationTimestamp']
        .concat(['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'managedFields'])
        .map((name) => `f:metadata${pathSeparator}f:${name}`),
    ),
);

function ownable(value: unknown, shape: Shape): ReadonlyMap<string, string> {
  return new Map([...fieldValues(value, shape)].filter(([path]) => !unowned.has(path) && path !== 'f:metadata'));
}

export interface AppliedBy {
  readonly manager: string;
  readonly subresource: string;
}

export interface ApplyOutcome {
  readonly object: unknown;
  readonly managers: readonly FieldManager[];
  /** Fields of others that the apply would change; empty when it may go ahead. */
  readonly conflicts: readonly FieldCause[];
}

export interface PlannedApply {
  readonly live: Fields;
  readonly applied: Fields;
  readonly managers: readonly FieldManager[];
  readonly by: AppliedBy;
  readonly shape: Shape;
  readonly force: 'Force' | 'Refuse';
  readonly apiVersion: string;
}

export function planApply({ live, applied, managers, by, shape, force, apiVersion }: PlannedApply): ApplyOutcome {
  const isMine = (one: FieldManager) =>
    one.manager === by.manager && one.operation === 'Apply' && one.subresource === by.subresource;
  const mine = managers.find(isMine);
  const others = managers.filter((one) => !isMine(one));
  const wanted = new Set(ownable(applied, shape).keys());
  const merged = mergeApplied(live, applied, shape);
  const { changed } = difference(live, merged, shape);
  const conflicts = others.flatMap((other) => conflictsWith(other, changed, apiVersion));
  if (conflicts.length > 0 && force === 'Refuse') return { object: live, managers, conflicts };
  const remaining = others.map((other) => ({ ...other, fields: minus(other.fields, changed) }));
  const dropped = new Set(
    [...(mine?.fields ?? [])].filter((path) => !wanted.has(path) && !isOwned(path, remaining, wanted)),
  );
  const object = removePaths(merged, shape, dropped) ?? {};
  const own: FieldManager = { ...by, operation: 'Apply', fields: wanted };
  return { object, managers: nonEmpty([...remaining, own]), conflicts: [] };
}

/** The managers after `by` wrote `after` over `before` by other means than apply. */
export function planUpdate(
  { before, after, shape }: { before: unknown; after: unknown; shape: Shape },
  managers: readonly FieldManager[],
  by: AppliedBy,
): readonly FieldManager[] {
  const { changed, removed } = difference(before, after, shape);
  if (changed.size === 0 && removed.size === 0) return managers;
  const isMine = (one: FieldManager) =>
    one.manager === by.manager && one.operation === 'Update' && one.subresource === by.subresource;
  const others = managers
    .filter((one) => !isMine(one))
    .map((one) => ({ ...one, fields: minus(minus(one.fields, changed), removed) }));
  const owned = new Set([...minus(managers.find(isMine)?.fields ?? new Set(), removed), ...changed]);
  return nonEmpty([...others, { ...by, operation: 'Update', fields: owned }]);
}

function difference(before: unknown, after: unknown, shape: Shape) {
  const old = ownable(before, shape);
  const now = ownable(after, shape);
  const changed = new Set([...now].filter(([path, value]) => old.get(path) !== value).map(([path]) => path));
  const removed = new Set([...old.keys()].filter((path) => !now.has(path)));
  return { changed, removed };
}

function conflictsWith(other: FieldManager, changed: ReadonlySet<string>, apiVersion: string): readonly FieldCause[] {
  const subresource = other.subresource === '' ? '' : ` with subresource "${other.subresource}"`;
  const using = other.operation === 'Update' ? ` using ${apiVersion}` : '';
  return [...other.fields]
    .filter((path) => changed.has(path))
    .map((path) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with "${other.manager}"${subresource}${using}`,
      field: renderPath(path),
    }));
}

/** An item stays while anybody owns it or something inside it. */
function isOwned(path: string, others: readonly FieldManager[], wanted: ReadonlySet<string>): boolean {
  const inside = `${path}${pathSeparator}`;
  const holds = (fields: ReadonlySet<string>) =>
    fields.has(path) || [...fields].some((field) => field.startsWith(inside));
  return holds(wanted) || others.some((other) => holds(other.fields));
}

const minus = (fields: ReadonlySet<string>, gone: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...fields].filter((path) => !gone.has(path)));

const nonEmpty = (managers: readonly FieldManager[]) => managers.filter((one) => one.fields.size > 0);
