/** The schema builder's public door. */
export { applyDefaults } from './apply-defaults.ts';
export {
  defineKind,
  group,
  type Kind,
  type ObjectOf,
  type PrinterColumn,
  version,
} from './define-kind.ts';
export type { Node } from './node.ts';
export type { ObjectMeta, OwnerReference } from './object-meta.ts';
export { checkNode, type ParseOptions, parse } from './parse.ts';
export { type CustomResourceDefinition, renderCrd } from './render-crd.ts';
export { type OpenApi, renderOpenApi } from './render-open-api.ts';
export { type Rule, rule } from './rule.ts';
export {
  type AnySchema,
  anything,
  boolean,
  defaulted,
  embeddedResource,
  type Infer,
  type Input,
  integer,
  intOrString,
  list,
  map,
  number,
  object,
  oneOf,
  required,
  type Schema,
  string,
  time,
  withRules,
} from './schema.ts';
export { SchemaError, type SchemaIssue } from './schema-error.ts';
