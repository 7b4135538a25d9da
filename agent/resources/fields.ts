/**
 * Objects of kinds that aren't known at compile time, read and rewritten field by field. Nothing here changes its
 * argument, and a field that isn't there reads as `undefined` at any depth.
 */
import type { AnyObject, ObjectMeta } from '../../kube/client/client.ts';

export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});

export const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

export function at(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const name of path) here = fieldsOf(here)[name];
  return here;
}

export const has = (value: unknown, path: readonly string[]): boolean => at(value, path) !== undefined;

/** `fields` with `value` at `path`, parents made as needed. */
export function withField(fields: Fields, path: readonly string[], value: unknown): Fields {
  const [name, ...rest] = path;
  if (name === undefined) return fields;
  return { ...fields, [name]: rest.length === 0 ? value : withField(fieldsOf(fields[name]), rest, value) };
}

/** `fields` without what is at `path`; the same value when there was nothing. */
export function withoutField(fields: Fields, path: readonly string[]): Fields {
  const [name, ...rest] = path;
  if (name === undefined || !(name in fields)) return fields;
  if (rest.length > 0) {
    const child = fields[name];
    return isFields(child) ? { ...fields, [name]: withoutField(child, rest) } : fields;
  }
  return Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name));
}

export const setField = (object: AnyObject, path: readonly string[], value: unknown): AnyObject =>
  objectOf(withField(object, path, value), object);

export const removeField = (object: AnyObject, ...paths: readonly (readonly string[])[]): AnyObject =>
  objectOf(
    paths.reduce<Fields>((fields, path) => withoutField(fields, path), object),
    object,
  );

/** The list at `path`, each item through `change`; the same object when there is no list. */
export function mapItems(object: AnyObject, path: readonly string[], change: (item: Fields) => Fields): AnyObject {
  const items = at(object, path);
  if (!Array.isArray(items)) return object;
  return setField(
    object,
    path,
    items.map((item) => (isFields(item) ? change(item) : item)),
  );
}

export const setMeta = (object: AnyObject, metadata: ObjectMeta): AnyObject => ({ ...object, metadata });

/** Annotations added (a value) or dropped (`undefined`). */
export function annotate(object: AnyObject, annotations: Readonly<Record<string, string | undefined>>): AnyObject {
  return setMeta(object, { ...object.metadata, annotations: merged(object.metadata.annotations, annotations) });
}

export function label(object: AnyObject, labels: Readonly<Record<string, string | undefined>>): AnyObject {
  return setMeta(object, { ...object.metadata, labels: merged(object.metadata.labels, labels) });
}

/** Equal as JSON, whatever the order of fields. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isFields(a) || !isFields(b)) return false;
  const names = Object.keys(a).filter((name) => a[name] !== undefined);
  const others = Object.keys(b).filter((name) => b[name] !== undefined);
  return names.length === others.length && names.every((name) => sameJson(a[name], b[name]));
}

/** Whether `live` has everything that `wanted` says, item by item in lists; it may say more. */
export function covers(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(live) && live.length === wanted.length && wanted.every((item, at) => covers(live[at], item));
  }
  if (!isFields(wanted)) return sameJson(live, wanted);
  return Object.entries(wanted).every(([name, value]) => value === undefined || covers(at(live, [name]), value));
}

/** Rewriting never touches what makes an object an object: these come from the one it started as. */
function objectOf(fields: Fields, object: AnyObject): AnyObject {
  const metadata = isMeta(fields.metadata) ? fields.metadata : object.metadata;
  return { ...fields, apiVersion: object.apiVersion, kind: object.kind, metadata };
}

const isMeta = (value: unknown): value is ObjectMeta => isFields(value) && typeof value.name === 'string';

function merged(
  current: Readonly<Record<string, string>> | undefined,
  changes: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const all: Readonly<Record<string, string | undefined>> = { ...current, ...changes };
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(all)) if (value !== undefined) kept[name] = value;
  return kept;
}
