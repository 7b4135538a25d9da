/**
 * What a CRD's structural schema does to an object: defaults, pruning or refusal of unknown fields, validation.
 * Not here, and so only seen on a real API server: CEL rules, `format`, allOf/anyOf/oneOf/not, the cost limits.
 */
import type { FieldCause } from './api-refusals.ts';
import { type Fields, fieldsOf, isFields, itemsOf, sameJson } from './json-value.ts';

/** The value with the schema's defaults where a field is absent. */
export function withDefaults(value: unknown, schema: unknown): unknown {
  const node = fieldsOf(schema);
  if (Array.isArray(value)) return value.map((item) => withDefaults(item, node.items));
  if (!isFields(value)) return value;
  const filled: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const childSchema = fieldsOf(node.properties)[name] ?? node.additionalProperties;
    const fallback =
      child === null && fieldsOf(childSchema).nullable !== true ? fieldsOf(childSchema).default : undefined;
    filled[name] = withDefaults(fallback ?? child, childSchema);
  }
  for (const [name, property] of Object.entries(fieldsOf(node.properties))) {
    if (filled[name] === undefined && isFields(property) && property.default !== undefined) {
      filled[name] = withDefaults(property.default, property);
    }
  }
  return filled;
}

/** Paths of fields that the schema doesn't name, e.g. `spec.tpyo`. */
export function unknownFields(value: unknown, schema: unknown, path = ''): readonly string[] {
  if (schema === undefined) return [];
  const node = fieldsOf(schema);
  if (Array.isArray(value)) return value.flatMap((item, at) => unknownFields(item, node.items, `${path}[${at}]`));
  if (!isFields(value) || isRoot(node, path) === false) return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const childPath = path === '' ? name : `${path}.${name}`;
    if (path === '' && rootFields.includes(name)) return [];
    const childSchema = schemaOf(node, name);
    if (childSchema === undefined) return keepsUnknown(node) ? [] : [childPath];
    return unknownFields(child, childSchema, childPath);
  });
}

/** The value without fields that the schema doesn't name. */
export function pruned(value: unknown, schema: unknown, path = ''): unknown {
  const node = fieldsOf(schema);
  if (Array.isArray(value)) return value.map((item) => pruned(item, node.items, `${path}[]`));
  if (!isFields(value) || node.type === undefined) return value;
  const kept: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const childSchema = schemaOf(node, name);
    const isNull = child === null && fieldsOf(childSchema).nullable !== true;
    if (path === '' && rootFields.includes(name)) kept[name] = child;
    else if (childSchema === undefined) keepUnknown(kept, node, name, child);
    else if (!isNull) kept[name] = pruned(child, childSchema, `${path}.${name}`);
  }
  return kept;
}

function keepUnknown(kept: Record<string, unknown>, node: Fields, name: string, child: unknown): void {
  if (keepsUnknown(node)) kept[name] = child;
}

const rootFields: readonly string[] = ['apiVersion', 'kind', 'metadata'];
const keepsUnknown = (node: Fields) => node['x-kubernetes-preserve-unknown-fields'] === true;
const isRoot = (node: Fields, path: string) => path === '' || node.type !== undefined;

function schemaOf(node: Fields, name: string): unknown {
  const property = fieldsOf(node.properties)[name];
  if (property !== undefined) return property;
  return isFields(node.additionalProperties) ? node.additionalProperties : undefined;
}

/** What the schema refuses, worded as the server words it. */
export function violations(value: unknown, schema: unknown, path = ''): readonly FieldCause[] {
  const node = fieldsOf(schema);
  if (value === null && node.nullable === true) return [];
  const wrongType = typeViolation(value, node, path);
  if (wrongType.length > 0) return wrongType;
  const own = [...enumViolation(value, node, path), ...rangeViolations(value, node, path)];
  if (Array.isArray(value)) return [...own, ...listViolations(value, node, path)];
  return isFields(value) ? [...own, ...fieldViolations(value, node, path)] : own;
}

function typeViolation(value: unknown, node: Fields, path: string): readonly FieldCause[] {
  const actual = typeName(value);
  if (node['x-kubernetes-int-or-string'] === true) {
    return actual === 'integer' || actual === 'string' ? [] : [wrongType(path, value, 'integer,string', actual)];
  }
  const wanted = node.type;
  if (typeof wanted !== 'string' || wanted === actual || (wanted === 'number' && actual === 'integer')) return [];
  return [wrongType(path, value, wanted, actual)];
}

const wrongType = (path: string, value: unknown, wanted: string, actual: string): FieldCause => ({
  reason: 'FieldValueTypeInvalid',
  field: path,
  message: `Invalid value: ${JSON.stringify(actual === 'string' ? value : actual)}: ${path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`,
});

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return typeof value;
}

function enumViolation(value: unknown, node: Fields, path: string): readonly FieldCause[] {
  if (!Array.isArray(node.enum) || node.enum.some((allowed) => sameJson(allowed, value))) return [];
  const supported = node.enum.map((allowed) => JSON.stringify(allowed)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`;
  return [{ reason: 'FieldValueNotSupported', field: path, message }];
}

function rangeViolations(value: unknown, node: Fields, path: string): readonly FieldCause[] {
  const found: string[] = [];
  const refuse = (bad: boolean, text: string) => void (bad ? found.push(text) : undefined);
  if (typeof value === 'number') {
    refuse(Number(node.minimum) > value, `should be greater than or equal to ${node.minimum}`);
    refuse(Number(node.maximum) < value, `should be less than or equal to ${node.maximum}`);
  }
  if (typeof value === 'string') {
    const length = [...value].length;
    refuse(Number(node.minLength) > length, `should be at least ${node.minLength} chars long`);
    refuse(Number(node.maxLength) < length, `may not be more than ${node.maxLength} bytes`);
    refuse(
      typeof node.pattern === 'string' && !new RegExp(node.pattern, 'u').test(value),
      `should match '${node.pattern}'`,
    );
  }
  if (Array.isArray(value)) {
    refuse(Number(node.minItems) > value.length, `should have at least ${node.minItems} items`);
    refuse(Number(node.maxItems) < value.length, `must have at most ${node.maxItems} items`);
  }
  if (isFields(value)) {
    const count = Object.keys(value).length;
    refuse(Number(node.minProperties) > count, `should have at least ${node.minProperties} properties`);
    refuse(Number(node.maxProperties) < count, `must have at most ${node.maxProperties} items`);
  }
  return found.map((text) => ({
    reason: 'FieldValueInvalid',
    field: path,
    message: `Invalid value: ${JSON.stringify(value)}: ${path} in body ${text}`,
  }));
}

function listViolations(value: readonly unknown[], node: Fields, path: string): readonly FieldCause[] {
  const seen = new Set<string>();
  const repeats: FieldCause[] = [];
  const keys = itemsOf(node['x-kubernetes-list-map-keys']).map(String);
  const type = node['x-kubernetes-list-type'];
  value.forEach((item, at) => {
    const key = type === 'map' ? Object.fromEntries(keys.map((name) => [name, fieldsOf(item)[name]])) : item;
    const text = JSON.stringify(key);
    if ((type === 'map' || type === 'set') && seen.has(text)) {
      repeats.push({ reason: 'FieldValueDuplicate', field: `${path}[${at}]`, message: `Duplicate value: ${text}` });
    }
    seen.add(text);
  });
  return [...value.flatMap((item, at) => violations(item, node.items, `${path}[${at}]`)), ...repeats];
}

function fieldViolations(value: Fields, node: Fields, path: string): readonly FieldCause[] {
  const join = (name: string) => (path === '' ? name : `${path}.${name}`);
  const absent = itemsOf(node.required)
    .map(String)
    .filter((name) => value[name] === undefined)
    .map((name) => ({ reason: 'FieldValueRequired', field: join(name), message: 'Required value' }));
  const inside = Object.entries(value).flatMap(([name, child]) => {
    const childSchema = schemaOf(node, name);
    const isMeta = path === '' && rootFields.includes(name);
    return childSchema === undefined || isMeta ? [] : violations(child, childSchema, join(name));
  });
  return [...absent, ...inside];
}
