/**
 * Checks what came from outside (peer messages, files, objects in tests) against a schema and returns it typed, defaults
 * filled in, unknown fields dropped. Same verdicts as the API server for the same schema, rules included.
 */
import { isRecord, withDefaults } from './apply-defaults.ts';
import type { Node, NumberNode, ObjectNode, StringNode } from './node.ts';
import type { Schema } from './schema.ts';
import { SchemaError, type SchemaIssue } from './schema-error.ts';

export interface ParseOptions {
  /** `Drop` (default) for peers that may be newer than us; `Refuse` names a typo, as fieldValidation=Strict does. */
  readonly unknownFields?: 'Drop' | 'Refuse' | undefined;
  /** The stored value, for transition rules. */
  readonly old?: unknown;
}

/** Issues reported at most, so that a hostile value can't make a huge message. */
const maxIssues = 20;

/**
 * Cap the bytes before calling this; depth is bounded by the schema's.
 * @throws SchemaError naming each wrong place
 */
export function parse<Out>(schema: Schema<Out, unknown>, value: unknown, options: ParseOptions = {}): Out {
  const { parsed, issues } = checkNode(schema.node, value, options);
  if (issues.length > 0) throw new SchemaError(issues);
  return assertParsed<Out>(parsed);
}

export function checkNode(
  node: Node,
  value: unknown,
  options: ParseOptions = {},
): { readonly parsed: unknown; readonly issues: readonly SchemaIssue[] } {
  const issues: SchemaIssue[] = [];
  const walk: Walk = {
    unknownFields: options.unknownFields ?? 'Drop',
    report: (path, message) => {
      if (issues.length < maxIssues) issues.push({ path, message });
      return undefined;
    },
  };
  const filled = withDefaults(node, value);
  if (filled === undefined) walk.report('', 'is required');
  const parsed = visit(walk, node, filled, '');
  if (issues.length === 0) checkRules(walk, node, { self: parsed, old: options.old, path: '' });
  return { parsed, issues };
}

interface Walk {
  readonly unknownFields: 'Drop' | 'Refuse';
  /** Returns `undefined`, so that a check can end with it. */
  readonly report: (path: string, message: string) => undefined;
}

function visit(walk: Walk, node: Node, value: unknown, path: string): unknown {
  if (value === undefined) return undefined;
  switch (node.type) {
    case 'string':
      checkString(walk, node, value, path);
      return value;
    case 'integer':
    case 'number':
      checkNumber(walk, node, value, path);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') walk.report(path, 'must be true or false');
      return value;
    case 'intOrString':
      if (typeof value !== 'string' && !Number.isSafeInteger(value))
        walk.report(path, 'must be an integer or a string');
      return value;
    case 'anything':
      return value;
    case 'list':
      return visitList(walk, node, value, path);
    case 'map':
      return visitMap(walk, node, value, path);
    case 'object':
      return visitObject(walk, node, value, path);
    default:
      return node satisfies never;
  }
}

function visitList(walk: Walk, node: Node & { type: 'list' }, value: unknown, path: string): unknown {
  if (!Array.isArray(value)) return walk.report(path, 'must be a list');
  if (node.maxItems !== undefined && value.length > node.maxItems) {
    return walk.report(path, `must have at most ${node.maxItems} items`);
  }
  if (node.minItems !== undefined && value.length < node.minItems) {
    walk.report(path, `must have at least ${node.minItems} items`);
  }
  const items = value.map((item: unknown, index) => {
    if (item === null) walk.report(`${path}[${index}]`, 'must not be null');
    return visit(walk, node.items, item ?? undefined, `${path}[${index}]`);
  });
  checkUnique(walk, node, items, path);
  return items;
}

function checkUnique(walk: Walk, node: Node & { type: 'list' }, items: readonly unknown[], path: string): void {
  if (node.listType !== 'set' && node.listType !== 'map') return;
  const keys = node.keys ?? [];
  const identity = (item: unknown) =>
    JSON.stringify(node.listType === 'map' && isRecord(item) ? keys.map((key) => item[key]) : item);
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const id = identity(item);
    if (seen.has(id)) walk.report(`${path}[${index}]`, 'is there twice');
    seen.add(id);
  }
}

function visitMap(walk: Walk, node: Node & { type: 'map' }, value: unknown, path: string): unknown {
  if (!isRecord(value)) return walk.report(path, 'must be a map');
  const entries = Object.entries(value);
  if (node.maxProperties !== undefined && entries.length > node.maxProperties) {
    return walk.report(path, `must have at most ${node.maxProperties} entries`);
  }
  const parsed = entries.map(([name, item]) => {
    if (item === null) walk.report(child(path, name), 'must not be null');
    return [name, visit(walk, node.values, item ?? undefined, child(path, name))] as const;
  });
  return Object.fromEntries(parsed.filter(([, item]) => item !== undefined));
}

function visitObject(walk: Walk, node: ObjectNode, value: unknown, path: string): unknown {
  if (!isRecord(value)) return walk.report(path, 'must be an object');
  for (const name of node.required) {
    if (!Object.hasOwn(value, name)) walk.report(child(path, name), 'is required');
  }
  const parsed: [string, unknown][] = [];
  for (const [name, item] of Object.entries(value)) {
    const field = Object.hasOwn(node.fields, name) ? node.fields[name] : undefined;
    if (field !== undefined) parsed.push([name, visit(walk, field, item, child(path, name))]);
    else if (node.unknown === 'Keep') parsed.push([name, item]);
    else if (walk.unknownFields === 'Refuse') walk.report(child(path, name), 'is not a field');
  }
  return Object.fromEntries(parsed.filter(([, item]) => item !== undefined));
}

function checkString(walk: Walk, node: StringNode, value: unknown, path: string): void {
  if (typeof value !== 'string') {
    walk.report(path, 'must be a string');
    return;
  }
  if (node.enum !== undefined && !node.enum.includes(value)) {
    walk.report(path, `must be one of ${node.enum.map((one) => JSON.stringify(one)).join(', ')}`);
  }
  const length = node.maxLength === undefined && node.minLength === undefined ? 0 : countCharacters(value);
  if (node.maxLength !== undefined && length > node.maxLength) {
    walk.report(path, `must have at most ${node.maxLength} characters`);
    return;
  }
  if (node.minLength !== undefined && length < node.minLength) {
    walk.report(path, node.minLength === 1 ? 'must not be empty' : `must have at least ${node.minLength} characters`);
  }
  if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(value)) {
    walk.report(path, `must match ${node.pattern}`);
  }
  if (node.format === 'date-time' && !dateTime.test(value)) walk.report(path, 'must be an RFC 3339 time');
}

const dateTime = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Code points, as the API server counts. */
function countCharacters(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

function checkNumber(walk: Walk, node: NumberNode, value: unknown, path: string): void {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    walk.report(path, 'must be a number');
    return;
  }
  if (node.type === 'integer' && !Number.isSafeInteger(value)) walk.report(path, 'must be an integer');
  if (node.minimum !== undefined && value < node.minimum) walk.report(path, `must be at least ${node.minimum}`);
  if (node.maximum !== undefined && value > node.maximum) walk.report(path, `must be at most ${node.maximum}`);
}

/** Rules are asked only of values that fit the schema otherwise, children first. */
function checkRules(
  walk: Walk,
  node: Node,
  at: { readonly self: unknown; readonly old: unknown; readonly path: string },
): void {
  if (at.self === undefined) return;
  for (const { node: field, name, label } of childrenOf(node, at)) {
    const oldChild: unknown = isRecord(at.old) && isRecord(at.self) ? at.old[name] : undefined;
    checkRules(walk, field, { self: childOf(at.self, name), old: oldChild, path: label });
  }
  for (const rule of node.rules ?? []) {
    if (!rule.holds(at.self, at.old)) walk.report(at.path, rule.message);
  }
}

function childrenOf(
  node: Node,
  at: { readonly self: unknown; readonly path: string },
): readonly { readonly node: Node; readonly name: string; readonly label: string }[] {
  if (node.type === 'object') {
    return Object.entries(node.fields).map(([name, field]) => ({ node: field, name, label: child(at.path, name) }));
  }
  if (node.type === 'map' && isRecord(at.self)) {
    return Object.keys(at.self).map((name) => ({ node: node.values, name, label: child(at.path, name) }));
  }
  if (node.type === 'list' && Array.isArray(at.self)) {
    return at.self.map((_, index) => ({ node: node.items, name: String(index), label: `${at.path}[${index}]` }));
  }
  return [];
}

function childOf(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value[Number(name)];
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function child(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** Everything in the value has been visited under the schema that `Out` was inferred from. */
function assertParsed<Out>(value: unknown): Out {
  return value as Out;
}
