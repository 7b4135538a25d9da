/**
 * The set of fields an object has, as server-side apply counts them (structured-merge-diff): leaves, whole atomic lists
 * and maps, empty maps, and each item of a list with keys. A path is its elements in managedFields' own notation
 * (`f:spec`, `k:{"name":"db"}`, `v:"x"`), joined by newlines, which no element contains.
 */
import { fieldsOf, isFields } from './json-value.ts';
import type { Shape } from './shape.ts';

export const pathSeparator = '\n';

/** Each path with its leaf as JSON; items of keyed lists have the empty string. */
export function fieldValues(value: unknown, shape: Shape): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, child] of Object.entries(fieldsOf(value))) collect(child, shape.field(name), `f:${name}`, found);
  return found;
}

function collect(value: unknown, shape: Shape, path: string, found: Map<string, string>): void {
  if (isFields(value) && shape.map === 'granular' && Object.keys(value).length > 0) {
    for (const [name, child] of Object.entries(value)) {
      collect(child, shape.field(name), `${path}${pathSeparator}f:${name}`, found);
    }
    return;
  }
  if (!Array.isArray(value) || shape.list === 'atomic' || value.length === 0) {
    found.set(path, canonical(value));
    return;
  }
  for (const item of value) {
    const itemPath = `${path}${pathSeparator}${itemElement(item, shape)}`;
    found.set(itemPath, '');
    if (shape.list !== 'set' && isFields(item)) {
      for (const [name, child] of Object.entries(item)) {
        collect(child, shape.item().field(name), `${itemPath}${pathSeparator}f:${name}`, found);
      }
    }
  }
}

/** What names an item among its siblings. */
export function itemElement(item: unknown, shape: Shape): string {
  if (typeof shape.list === 'string') return `v:${canonical(item)}`;
  const fields = fieldsOf(item);
  const key = shape.list.keys.toSorted().map((name) => [name, fields[name] ?? shape.keyDefaults[name]]);
  return `k:${JSON.stringify(Object.fromEntries(key))}`;
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, child: unknown) =>
    isFields(child) ? Object.fromEntries(Object.entries(child).toSorted(([a], [b]) => (a < b ? -1 : 1))) : child,
  );
}

/** Where a list with keys has the same one twice, worded as the server does. */
export function repeatedItems(value: unknown, shape: Shape, at = ''): readonly string[] {
  if (isFields(value)) {
    return Object.entries(value).flatMap(([name, child]) =>
      repeatedItems(child, shape.field(name), join(at, `f:${name}`)),
    );
  }
  if (!Array.isArray(value) || shape.list === 'atomic') return [];
  const seen = new Set<string>();
  return value.flatMap((item) => {
    const element = itemElement(item, shape);
    const what = element.startsWith('k:') ? 'key' : 'item';
    const twice = seen.has(element) ? [`${renderPath(at)}: duplicate entries for ${what} ${renderPath(element)}`] : [];
    seen.add(element);
    return [...twice, ...(isFields(item) ? repeatedItems(item, shape.item(), join(at, element)) : [])];
  });
}

/** The applied value over the live one: maps and keyed lists by their parts, all else replaced. Live order first. */
export function mergeApplied(live: unknown, applied: unknown, shape: Shape): unknown {
  if (isFields(live) && isFields(applied) && shape.map === 'granular') {
    const merged: Record<string, unknown> = { ...live };
    for (const [name, child] of Object.entries(applied))
      merged[name] = mergeApplied(live[name], child, shape.field(name));
    return merged;
  }
  if (!Array.isArray(live) || !Array.isArray(applied) || shape.list === 'atomic') return applied;
  const wanted = new Map(applied.map((item) => [itemElement(item, shape), item]));
  const merged = live.map((item) => {
    const element = itemElement(item, shape);
    if (!wanted.has(element)) return item;
    const next = mergeApplied(item, wanted.get(element), shape.item());
    wanted.delete(element);
    return next;
  });
  return [...merged, ...wanted.values()];
}

/** The value without those paths; a map or list left empty by that goes too. */
export function removePaths(value: unknown, shape: Shape, paths: ReadonlySet<string>, at = ''): unknown {
  if (paths.size === 0) return value;
  if (isFields(value) && shape.map === 'granular') return removeFields(value, shape, paths, at);
  if (!Array.isArray(value) || shape.list === 'atomic') return value;
  const kept: unknown[] = [];
  for (const item of value) {
    const path = join(at, itemElement(item, shape));
    if (!paths.has(path)) kept.push(isFields(item) ? (removeFields(item, shape.item(), paths, path) ?? {}) : item);
  }
  return kept.length === 0 && value.length > 0 ? undefined : kept;
}

function removeFields(value: Readonly<Record<string, unknown>>, shape: Shape, paths: ReadonlySet<string>, at: string) {
  const kept: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const path = join(at, `f:${name}`);
    if (paths.has(path)) continue;
    const next = removePaths(child, shape.field(name), paths, path);
    if (next !== undefined) kept[name] = next;
  }
  return Object.keys(kept).length === 0 && Object.keys(value).length > 0 ? undefined : kept;
}

const join = (at: string, element: string) => (at === '' ? element : `${at}${pathSeparator}${element}`);

/** As messages of the server show it: `.spec.containers[name="db"].image`. */
export function renderPath(path: string): string {
  const parts = path.split(pathSeparator).map((element) => {
    const text = element.slice(2);
    if (element.startsWith('f:')) return `.${text}`;
    if (element.startsWith('v:')) return `[=${text}]`;
    const key: unknown = JSON.parse(text);
    return `[${Object.entries(fieldsOf(key))
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(',')}]`;
  });
  return parts.join('');
}
