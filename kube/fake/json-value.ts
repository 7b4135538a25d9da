/** JSON values as the fake keeps them: parsed copies, frozen, so that whoever holds one can't change what is stored. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value's fields, or none when it is something else. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** What the value would be after a trip over the wire: `undefined` dropped, dates as strings; frozen deeply. */
export function frozenCopy(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined ? undefined : deepFreeze(JSON.parse(text));
}

export function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}

/** Equal as JSON, whatever the order of fields. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, at) => sameJson(item, b[at]));
  if (!isFields(a) || !isFields(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && sameJson(a[name], b[name]));
}

export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const name of path) here = fieldsOf(here)[name];
  return here;
}

/** `fields` without those names and without absent ones. */
export function without(fields: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => value !== undefined && !names.includes(name)),
  );
}

/** `null` and absent fields removed at every depth: typed kinds don't keep them. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  const kept = Object.entries(value).filter(([, child]) => child !== null && child !== undefined);
  return Object.fromEntries(kept.map(([name, child]) => [name, withoutNulls(child)]));
}
