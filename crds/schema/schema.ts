/**
 * The builder: one value gives the TypeScript type, the defaults, the checks and the CRD's structural schema.
 *
 *   const spec = object({ clusterPair: required(string({ maxLength: 253 })), includeVolumes: boolean({ default: true }) });
 *   type Spec = Infer<typeof spec>;   // { readonly clusterPair: string; readonly includeVolumes: boolean }
 *   type Given = Input<typeof spec>;  // { readonly clusterPair: string; readonly includeVolumes?: boolean }
 *
 * A field is optional unless `required(…)` or given a default. `Infer` is what one reads (defaults present), `Input` what
 * one may write. JSON null counts as absent everywhere, as it does on the API server.
 */
import type { ListNode, Node, NodeBase, NumberNode, StringNode } from './node.ts';
import type { Rule } from './rule.ts';

export type Presence = 'optional' | 'required' | 'defaulted';

export interface Schema<Out, In = Out, P extends Presence = Presence> {
  readonly node: Node;
  readonly presence: P;
  /** Phantoms: they carry types, never values. */
  readonly __out?: Out;
  readonly __in?: In;
}

export type AnySchema = Schema<unknown, unknown>;
export type Infer<S> = S extends Schema<infer Out, unknown> ? Out : never;
export type Input<S> = S extends Schema<unknown, infer In> ? In : never;

export type Fields = Readonly<Record<string, AnySchema>>;
type Flat<T> = { readonly [K in keyof T]: T[K] };
type Absentable<F extends Fields, P extends Presence> = {
  [K in keyof F]: F[K]['presence'] extends P ? K : never;
}[keyof F];
export type FieldsOut<F extends Fields> = Flat<
  { [K in Exclude<keyof F, Absentable<F, 'optional'>>]: Infer<F[K]> } & {
    [K in Absentable<F, 'optional'>]?: Infer<F[K]> | undefined;
  }
>;
export type FieldsIn<F extends Fields> = Flat<
  { [K in Exclude<keyof F, Absentable<F, 'optional' | 'defaulted'>>]: Input<F[K]> } & {
    [K in Absentable<F, 'optional' | 'defaulted'>]?: Input<F[K]> | undefined;
  }
>;

type Options<N extends NodeBase> = Omit<Partial<N>, 'type' | 'default' | 'enum'>;
type Optional<Out, In = Out> = Schema<Out, In, 'optional'>;
type Defaulted<Out, In = Out> = Schema<Out, In, 'defaulted'>;

export function string(options: Options<StringNode> & { readonly default: string }): Defaulted<string>;
export function string(options?: Options<StringNode>): Optional<string>;
export function string(options: Options<StringNode> = {}): Schema<string> {
  return leaf({ type: 'string', ...options });
}

/** An RFC 3339 time, as metav1.Time is written. */
export function time(options: Pick<NodeBase, 'description'> = {}): Optional<string> {
  return { node: { type: 'string', format: 'date-time', ...options }, presence: 'optional' };
}

/** One of the given strings; name `''` among them where it may be written. */
export function oneOf<const V extends string>(
  values: readonly V[],
  options: Pick<NodeBase, 'description' | 'rules'> & { readonly default: NoInfer<V> },
): Defaulted<V>;
export function oneOf<const V extends string>(
  values: readonly V[],
  options?: Pick<NodeBase, 'description' | 'rules'>,
): Optional<V>;
export function oneOf<const V extends string>(
  values: readonly V[],
  options: Pick<NodeBase, 'description' | 'rules' | 'default'> = {},
): Schema<V> {
  return leaf({ type: 'string', enum: values, ...options });
}

/** A whole number that a JavaScript number holds exactly (below 2^53). */
export function integer(options: Options<NumberNode> & { readonly default: number }): Defaulted<number>;
export function integer(options?: Options<NumberNode>): Optional<number>;
export function integer(options: Options<NumberNode> = {}): Schema<number> {
  return leaf({ type: 'integer', format: 'int64', ...options });
}

export function number(options: Options<NumberNode> & { readonly default: number }): Defaulted<number>;
export function number(options?: Options<NumberNode>): Optional<number>;
export function number(options: Options<NumberNode> = {}): Schema<number> {
  return leaf({ type: 'number', ...options });
}

export function boolean(options: NodeBase & { readonly default: boolean }): Defaulted<boolean>;
export function boolean(options?: NodeBase): Optional<boolean>;
export function boolean(options: NodeBase = {}): Schema<boolean> {
  return leaf({ type: 'boolean', ...options });
}

export function list<S extends AnySchema>(
  items: S,
  options: Omit<Options<ListNode>, 'items'> = {},
): Optional<readonly Infer<S>[], readonly Input<S>[]> {
  return { node: { type: 'list', items: items.node, ...options }, presence: 'optional' };
}

/** A map from any string. */
export function map<S extends AnySchema>(
  values: S,
  options: { readonly maxProperties?: number; readonly description?: string; readonly rules?: readonly Rule[] } = {},
): Optional<Readonly<Record<string, Infer<S>>>, Readonly<Record<string, Input<S>>>> {
  return { node: { type: 'map', values: values.node, ...options }, presence: 'optional' };
}

export interface ObjectOptions {
  readonly description?: string;
  readonly rules?: readonly Rule[];
  /** `Keep` marks x-kubernetes-preserve-unknown-fields. */
  readonly unknown?: 'Prune' | 'Keep';
}

export function object<const F extends Fields>(
  fields: F,
  options: ObjectOptions = {},
): Optional<FieldsOut<F>, FieldsIn<F>> {
  const nodes = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.node]));
  const named = Object.entries(fields).filter(([, field]) => field.presence === 'required');
  return {
    node: {
      type: 'object',
      unknown: 'Prune',
      ...options,
      fields: nodes,
      required: named.map(([name]) => name),
    },
    presence: 'optional',
  };
}

/** Any JSON value, kept as it is. */
export function anything(options: Pick<NodeBase, 'description'> = {}): Optional<unknown> {
  return { node: { type: 'anything', ...options }, presence: 'optional' };
}

export function intOrString(options: Pick<NodeBase, 'description'> = {}): Optional<number | string> {
  return { node: { type: 'intOrString', ...options }, presence: 'optional' };
}

/** A whole Kubernetes object inside another. */
export function embeddedResource(
  options: Pick<NodeBase, 'description'> = {},
): Optional<Readonly<Record<string, unknown>>> {
  const fields: Readonly<Record<string, Node>> = {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object', fields: {}, required: [], unknown: 'Keep' },
  };
  const required = ['apiVersion', 'kind', 'metadata'];
  return {
    node: { type: 'object', ...options, fields, required, unknown: 'Keep', embedded: 'Resource' },
    presence: 'optional',
  };
}

export function required<Out, In>(schema: Schema<Out, In>): Schema<Out, In, 'required'> {
  return { node: schema.node, presence: 'required' };
}

/** For lists, maps and objects; scalars take `{ default }`. */
export function defaulted<Out, In>(schema: Schema<Out, In>, value: NoInfer<In>): Schema<Out, In, 'defaulted'> {
  return { node: { ...schema.node, default: value }, presence: 'defaulted' };
}

/** Adds rules to a schema, typed by what the schema holds. */
export function withRules<Out, In, P extends Presence>(
  schema: Schema<Out, In, P>,
  ...rules: readonly Rule[]
): Schema<Out, In, P> {
  return { ...schema, node: { ...schema.node, rules: [...(schema.node.rules ?? []), ...rules] } };
}

function leaf<T>(node: Node): Schema<T> {
  return { node, presence: node.default === undefined ? 'optional' : 'defaulted' };
}
