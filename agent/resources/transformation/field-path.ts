/**
 * Paths of ResourceTransformations. Stork's form is dotted (`spec.template.spec.nodeName`) and reaches fields only; one that
 * begins with "/" is a JSON pointer, which also reaches keys with dots (`/metadata/labels/app.kubernetes.io~1name`) and list
 * items (`/spec/ports/0/port`, `/spec/ports/-` for behind the last). Pure; nothing changes its argument.
 */
import { isFields } from '../fields.ts';

export type FieldPath = readonly string[];

export type ParsedPath =
  | { readonly valid: 'Yes'; readonly path: FieldPath }
  | { readonly valid: 'No'; readonly reason: string };

/** "/" alone is the object itself. */
export function parsePath(text: string): ParsedPath {
  if (text === '/') return { valid: 'Yes', path: [] };
  if (text.startsWith('/')) {
    const parts = text.slice(1).split('/');
    const odd = parts.find((part) => /~(?![01])/.test(part));
    if (odd !== undefined) return { valid: 'No', reason: `in "${odd}" a ~ stands alone; write ~0 for ~ and ~1 for /` };
    return { valid: 'Yes', path: parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')) };
  }
  const path = text.split('.');
  if (path.includes('')) return { valid: 'No', reason: `"${text}" has an empty part` };
  if (path[0] === 'metadata' && path.length > 3) {
    const pointer = `/metadata/${path[1]}/${path.slice(2).join('.').replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return { valid: 'No', reason: `a key with dots needs a JSON pointer: ${pointer}` };
  }
  return { valid: 'Yes', path };
}

/** As a JSON pointer, for messages. */
export const textOfPath = (path: FieldPath): string =>
  path.length === 0 ? '/' : path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** An edit does not fit the object it is made on; the message is a clause without the object's name. */
export class Misfit extends Error {
  override readonly name = 'Misfit';
}

/** What is at the path; `undefined` where nothing is, also below a list that is not that long. */
export function readAt(value: unknown, path: FieldPath): unknown {
  let here = value;
  for (const part of path) {
    if (Array.isArray(here)) here = indexOf(part, here) === undefined ? undefined : here[Number(part)];
    else here = isFields(here) && Object.hasOwn(here, part) ? here[part] : undefined;
  }
  return here;
}

export interface Placing {
  /** What to put, told what is there. */
  readonly value: (current: unknown) => unknown;
  /** At a list's index: before the item that is there, or in its place. */
  readonly items: 'Insert' | 'Replace';
  /** Objects missing on the way. */
  readonly parents: 'Make' | 'Require';
}

/** @throws Misfit where the path leads through something that is neither an object nor a list, or beyond a list */
export function placeAt(value: unknown, path: FieldPath, placing: Placing, done: FieldPath = []): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return placing.value(value);
  const here = [...done, part];
  if (Array.isArray(value)) {
    const isLast = rest.length === 0;
    if (isLast && placing.items === 'Insert') {
      const index = part === '-' ? value.length : Number(part);
      if (part !== '-' && (indexOf(part, value) ?? (index === value.length ? index : undefined)) === undefined)
        throw noItem(done, part, value);
      return value.toSpliced(index, 0, placing.value(undefined));
    }
    const index = indexOf(part, value);
    if (index === undefined) throw noItem(done, part, value);
    return value.with(index, placeAt(value[index], rest, placing, here));
  }
  if (value !== undefined && value !== null && !isFields(value)) throw noObject(done);
  const fields = isFields(value) ? value : {};
  const known = Object.hasOwn(fields, part);
  if (!known && rest.length > 0 && placing.parents === 'Require') throw new Misfit(`${textOfPath(here)} is not there`);
  return withOwn(fields, part, placeAt(known ? fields[part] : undefined, rest, placing, here));
}

/** The value without what is at the path; the same value when nothing is there. @throws Misfit as {@link placeAt} */
export function removeAt(value: unknown, path: FieldPath, done: FieldPath = []): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return undefined;
  const here = [...done, part];
  if (Array.isArray(value)) {
    const index = indexOf(part, value);
    if (index === undefined) throw noItem(done, part, value);
    return rest.length === 0 ? value.toSpliced(index, 1) : value.with(index, removeAt(value[index], rest, here));
  }
  if (value === undefined || value === null) return value;
  if (!isFields(value)) throw noObject(done);
  if (!Object.hasOwn(value, part)) return value;
  if (rest.length > 0) return withOwn(value, part, removeAt(value[part], rest, here));
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== part));
}

/** Names like __proto__ come from users: they become fields like any other. */
const withOwn = (fields: Readonly<Record<string, unknown>>, name: string, value: unknown) =>
  Object.fromEntries([...Object.entries(fields).filter(([other]) => other !== name), [name, value]]);

function indexOf(part: string, list: readonly unknown[]): number | undefined {
  const index = /^(0|[1-9]\d{0,8})$/.test(part) ? Number(part) : undefined;
  return index !== undefined && index < list.length ? index : undefined;
}

const noObject = (path: FieldPath) => new Misfit(`${textOfPath(path)} is neither an object nor a list`);

function noItem(path: FieldPath, part: string, list: readonly unknown[]): Misfit {
  const what = `${textOfPath(path)} is a list of ${list.length} without an item "${part}"`;
  return new Misfit(
    /^\d+$/.test(part) ? what : `${what}; name items by index in a JSON pointer, e.g. ${textOfPath([...path, '0'])}`,
  );
}
