/**
 * Fills in defaults as the API server does: an absent (or null) field with a default gets it, also inside lists, maps and
 * defaults themselves; a parent that is absent without a default stays absent. Never mutates its argument.
 */
import type { Node } from './node.ts';
import type { Schema } from './schema.ts';

export function applyDefaults<Out, In>(schema: Schema<Out, In>, value: In): Out {
  return assertDefaulted<Out>(withDefaults(schema.node, value));
}

/** As applyDefaults, on a bare node and unknown bytes: what doesn't fit the node is left for parse to name. */
export function withDefaults(node: Node, value: unknown): unknown {
  const present = value === undefined || value === null ? node.default : value;
  if (present === undefined || present === null) return undefined;
  switch (node.type) {
    case 'object':
      return isRecord(present) ? objectWithDefaults(node.fields, present) : present;
    case 'map':
      return isRecord(present) ? mapValues(present, (item) => withDefaults(node.values, item)) : present;
    case 'list':
      return Array.isArray(present) ? present.map((item) => withDefaults(node.items, item) ?? item) : present;
    default:
      return present;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectWithDefaults(
  fields: Readonly<Record<string, Node>>,
  value: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const filled = Object.entries(fields).map(
    ([name, node]) => [name, withDefaults(node, ownField(value, name))] as const,
  );
  return Object.fromEntries(
    [...Object.entries(value), ...filled].filter(
      ([name, item]) => item !== undefined && (item !== null || !Object.hasOwn(fields, name)),
    ),
  );
}

function mapValues(value: Readonly<Record<string, unknown>>, convert: (item: unknown) => unknown) {
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, convert(item) ?? item]));
}

function ownField(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Defaulting turns In into Out: that is what the two types mean. */
function assertDefaulted<Out>(value: unknown): Out {
  return value as Out;
}
