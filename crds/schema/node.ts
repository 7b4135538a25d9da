/**
 * A schema as plain data. Interpreters walk it: render-open-api.ts (what the API server enforces), parse.ts (what we
 * enforce on bytes that no API server checked), apply-defaults.ts. It can express only what a structural schema can.
 */
import type { Rule } from './rule.ts';

export interface NodeBase {
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly rules?: readonly Rule[] | undefined;
}

export interface StringNode extends NodeBase {
  readonly type: 'string';
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  /** Anchor it yourself: as in OpenAPI, an unanchored pattern matches anywhere. */
  readonly pattern?: string | undefined;
  readonly format?: 'date-time' | undefined;
  readonly enum?: readonly string[] | undefined;
}

export interface NumberNode extends NodeBase {
  readonly type: 'integer' | 'number';
  readonly format?: 'int32' | 'int64' | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
}

export interface BooleanNode extends NodeBase {
  readonly type: 'boolean';
}

export interface ListNode extends NodeBase {
  readonly type: 'list';
  readonly items: Node;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  /** `set`: items are unique; `map`: the `keys` of items are. The API server enforces both, and so does parse. */
  readonly listType?: 'atomic' | 'set' | 'map' | undefined;
  readonly keys?: readonly string[] | undefined;
}

export interface MapNode extends NodeBase {
  readonly type: 'map';
  readonly values: Node;
  readonly maxProperties?: number | undefined;
}

export interface ObjectNode extends NodeBase {
  readonly type: 'object';
  readonly fields: Readonly<Record<string, Node>>;
  readonly required: readonly string[];
  /** Fields that the schema doesn't name are kept instead of pruned. */
  readonly unknown: 'Prune' | 'Keep';
  /** A whole Kubernetes object: apiVersion, kind and metadata are checked too. */
  readonly embedded?: 'Resource' | undefined;
}

export interface AnythingNode extends NodeBase {
  readonly type: 'anything';
}

export interface IntOrStringNode extends NodeBase {
  readonly type: 'intOrString';
}

export type Node =
  | StringNode
  | NumberNode
  | BooleanNode
  | ListNode
  | MapNode
  | ObjectNode
  | AnythingNode
  | IntOrStringNode;
