/**
 * A kind of ours as a value: it names the resource on the wire (it is a kube/client `Resource`), types its objects, and
 * renders its CustomResourceDefinition.
 */
import type { ObjectNode } from './node.ts';
import type { ObjectMeta } from './object-meta.ts';
import type { Rule } from './rule.ts';
import { type Fields, type FieldsIn, type FieldsOut, object, type Schema } from './schema.ts';

interface Head {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean';
  readonly jsonPath: string;
  readonly description?: string;
  /** Above 0: shown with `-o wide` only. */
  readonly priority?: number;
}

export interface Kind<T extends Head = Head, In extends Head = T> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly apiVersion: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly columns: readonly PrinterColumn[];
  readonly statusSubresource: 'Yes' | 'No';
  /** The whole object, metadata left to the API server. */
  readonly schema: Schema<T, In>;
  readonly __object?: T;
}

export interface KindOptions<F extends Fields> {
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly description: string;
  readonly shortNames?: readonly string[];
  readonly columns?: readonly PrinterColumn[];
  /** The fields beside apiVersion, kind and metadata. A field `status` makes the status subresource. */
  readonly fields: F;
  /** Rules over the whole object: `self.spec`, `self.status`, `self.metadata.name`. */
  readonly rules?: readonly Rule[];
}

export type ObjectOf<K> = K extends Kind<infer T> ? T : never;

export const group = 'stork.libopenstorage.org';
export const version = 'v1alpha1';

export function defineKind<const F extends Fields>(
  options: KindOptions<F>,
): Kind<Head & FieldsOut<F>, Head & FieldsIn<F>> {
  const { kind, plural, namespaced, description, fields, rules } = options;
  return {
    group,
    version,
    apiVersion: `${group}/${version}`,
    kind,
    plural,
    singular: kind.toLowerCase(),
    namespaced,
    shortNames: options.shortNames ?? [],
    categories: ['stork'],
    columns: options.columns ?? [],
    statusSubresource: Object.hasOwn(fields, 'status') ? 'Yes' : 'No',
    schema: { node: wholeObject(object(fields).node, { description, rules }), presence: 'required' },
  };
}

function wholeObject(
  node: object,
  extra: { readonly description: string; readonly rules: readonly Rule[] | undefined },
): ObjectNode {
  const { fields, required } = assertObjectNode(node);
  return {
    type: 'object',
    unknown: 'Prune',
    ...extra,
    fields: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', fields: {}, required: [], unknown: 'Keep' },
      ...fields,
    },
    required,
  };
}

/** `object()` makes nothing else. */
function assertObjectNode(node: object): ObjectNode {
  return node as ObjectNode;
}
