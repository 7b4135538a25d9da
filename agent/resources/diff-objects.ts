/**
 * Which fields of an object a write would change, for a person: paths and short values. Pure. Contents of Secrets are
 * never shown, nor what looks like a credential elsewhere.
 */
import type { AnyObject } from '../../kube/client/client.ts';
import { redactTail } from '../rule/redact.ts';
import { isFields, sameJson, textOf } from './fields.ts';
import { storkNames } from './names.ts';

export interface FieldChange {
  /** e.g. `spec.template.spec.containers[web].image`. */
  readonly path: string;
  /** JSON, cut off when long; absent: the field is not there. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export const diffLimits = { valueLength: 100, pathLength: 300 } as const;

/** What the server writes itself, whoever asks. */
const ofTheServer: ReadonlySet<string> = new Set([
  'metadata.creationTimestamp',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.resourceVersion',
  'metadata.uid',
  'status',
]);

/** Marks that every write renews: worth a line only when nothing else changes. */
const renewed: ReadonlySet<string> = new Set(
  [
    storkNames.migrationName,
    storkNames.migrationNamespace,
    storkNames.migrationTime,
    storkNames.resourceHash,
    storkNames.sourceUid,
  ].map((name) => `metadata.annotations[${name}]`),
);

/** From `live` to what each of several writes leaves: every change once, in the order of the fields. */
export function diffObjects(live: AnyObject, written: readonly AnyObject[]): readonly FieldChange[] {
  const changes = new Map<string, FieldChange>();
  for (const object of written)
    for (const change of diffValues(live, object, '')) if (!changes.has(change.path)) changes.set(change.path, change);
  const all = [...changes.values()];
  const told = all.filter(({ path }) => !renewed.has(path));
  const shown = told.length === 0 ? all : told;
  return live.kind === 'Secret' ? shown.map(hidden) : shown;
}

function diffValues(before: unknown, after: unknown, path: string): readonly FieldChange[] {
  if (ofTheServer.has(path) || sameJson(before, after)) return [];
  const [one, other] = [entriesOf(before), entriesOf(after)];
  if (one === undefined || other === undefined)
    return [
      { path: path.slice(0, diffLimits.pathLength), before: shortened(before, path), after: shortened(after, path) },
    ];
  const names = [...new Set([...one.keys(), ...other.keys()])];
  return names.flatMap((name) => diffValues(one.get(name), other.get(name), `${path}${name}`.replace(/^\./, '')));
}

/** An object's fields, or a list whose items all have a name; anything else is one value. */
function entriesOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (isFields(value)) return new Map(Object.entries(value).map(([name, item]) => [step(name), item]));
  if (!Array.isArray(value)) return undefined;
  const names = value.map((item: unknown) => (isFields(item) ? textOf(item.name) : undefined));
  if (names.includes(undefined) || new Set(names).size < names.length) return undefined;
  return new Map(value.map((item: unknown, index) => [`[${names[index]}]`, item]));
}

const step = (name: string): string => (/^[\w-]+$/.test(name) ? `.${name}` : `[${name}]`);

const secretName = /seal\b|token|secret|passw|passphrase|credential|private.?key|api.?key|access.?key/i;
const mask = '(hidden)';

function shortened(value: unknown, path: string): string | undefined {
  if (value === undefined) return undefined;
  if (secretName.test(path)) return mask;
  const text = redactTail(JSON.stringify(value, masking), Number.MAX_SAFE_INTEGER);
  return text.length <= diffLimits.valueLength ? text : `${text.slice(0, diffLimits.valueLength - 1)}…`;
}

/** Values of telling names, and those of variables that have one. */
function masking(name: string, value: unknown): unknown {
  if (typeof value === 'string' && name !== 'name' && secretName.test(name)) return mask;
  const isVariable = isFields(value) && typeof value.value === 'string' && secretName.test(textOf(value.name) ?? '');
  return isVariable ? { ...value, value: mask } : value;
}

function hidden(change: FieldChange): FieldChange {
  const isContent = /^(?:data|stringData|metadata\.annotations)\b/.test(change.path);
  const hide = (value: string | undefined) => (value === undefined || !isContent ? value : mask);
  return { ...change, before: hide(change.before), after: hide(change.after) };
}
