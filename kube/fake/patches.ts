/** JSON patch (RFC 6902: add, replace, remove, test), merge patch (RFC 7386) and strategic merge patch, all pure. */
import type { JsonPatchOperation, Patch } from '../client/client.ts';
import { itemElement } from './field-set.ts';
import { type Fields, fieldsOf, isFields, sameJson, without } from './json-value.ts';
import type { Shape } from './shape.ts';

/** What makes a patch inapplicable; the server answers 422. */
export class InapplicablePatch extends Error {
  override readonly name = 'InapplicablePatch';
}

/** @throws InapplicablePatch when a JSON patch's path is missing or its test fails */
export function patched(object: Fields, patch: Patch, shape: Shape): Fields {
  switch (patch.type) {
    case 'json':
      return fieldsOf(patch.body.reduce<unknown>(applyOperation, object));
    case 'merge':
      return fieldsOf(mergePatch(object, patch.body));
    case 'strategic':
      return fieldsOf(strategicPatch(object, patch.body, shape));
    default:
      return patch satisfies never;
  }
}

function applyOperation(document: unknown, operation: JsonPatchOperation): unknown {
  const path = operation.path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return edit(document, path, operation);
}

function edit(document: unknown, path: readonly string[], operation: JsonPatchOperation): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return editHere(document, operation);
  if (Array.isArray(document)) return editItem(document, name, rest, operation);
  if (!isFields(document)) throw missing(operation);
  if (rest.length === 0 && operation.op === 'remove') {
    if (!(name in document)) throw missing(operation);
    return without(document, name);
  }
  if (!(name in document) && (rest.length > 0 || operation.op !== 'add')) throw missing(operation);
  return { ...document, [name]: edit(document[name], rest, operation) };
}

function editItem(
  list: readonly unknown[],
  name: string,
  rest: readonly string[],
  operation: JsonPatchOperation,
): unknown {
  const index = name === '-' ? list.length : Number(name);
  const last = rest.length === 0;
  if (!Number.isInteger(index) || index < 0 || index > list.length) throw missing(operation);
  if (last && operation.op === 'add') return list.toSpliced(index, 0, operation.value);
  if (index === list.length) throw missing(operation);
  return last && operation.op === 'remove'
    ? list.toSpliced(index, 1)
    : list.with(index, edit(list[index], rest, operation));
}

function editHere(document: unknown, operation: JsonPatchOperation): unknown {
  if (operation.op === 'remove') return undefined;
  if (operation.op !== 'test') return operation.value;
  if (!sameJson(document, operation.value)) {
    throw new InapplicablePatch(`testing value ${operation.path} failed: test failed`);
  }
  return document;
}

const missing = (operation: JsonPatchOperation) =>
  new InapplicablePatch(`${operation.op} operation does not apply: doc is missing path: "${operation.path}"`);

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const merged: Record<string, unknown> = { ...fieldsOf(target) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

/** Lists with keys merge by item (`$patch: delete` removes one); the other `$` directives aren't known here. */
function strategicPatch(target: unknown, patch: unknown, shape: Shape): unknown {
  if (Array.isArray(patch) && Array.isArray(target)) return strategicList(target, patch, shape);
  if (!isFields(patch)) return patch;
  if (patch.$patch === 'replace') return without(patch, '$patch');
  const merged: Record<string, unknown> = { ...fieldsOf(target) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = strategicPatch(merged[name], value, shape.field(name));
  }
  return merged;
}

function strategicList(target: readonly unknown[], patch: readonly unknown[], shape: Shape): unknown {
  if (shape.list === 'atomic') return patch;
  const items = new Map(target.map((item) => [itemElement(item, shape), item]));
  for (const item of patch) {
    const element = itemElement(item, shape);
    if (fieldsOf(item).$patch === 'delete') items.delete(element);
    else items.set(element, strategicPatch(items.get(element), item, shape.item()));
  }
  return [...items.values()];
}
