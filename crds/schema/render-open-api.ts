/** A schema as the `openAPIV3Schema` of a CustomResourceDefinition (structural; what the API server enforces). */
import type { ListNode, Node, ObjectNode } from './node.ts';

export type OpenApi = Readonly<Record<string, unknown>>;

export function renderOpenApi(node: Node): OpenApi {
  return compact({
    description: node.description,
    ...shapeOf(node),
    default: node.default,
    'x-kubernetes-validations': node.rules?.map((rule) => ({ rule: rule.cel, message: rule.message })),
  });
}

function shapeOf(node: Node): OpenApi {
  switch (node.type) {
    case 'string': {
      const { minLength, maxLength, pattern, format } = node;
      return { type: 'string', enum: node.enum, minLength, maxLength, pattern, format };
    }
    case 'integer':
    case 'number': {
      const { type, format, minimum, maximum } = node;
      return { type, format, minimum, maximum };
    }
    case 'boolean':
      return { type: 'boolean' };
    case 'anything':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    case 'intOrString':
      return { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] };
    case 'map': {
      const { values, maxProperties } = node;
      return { type: 'object', maxProperties, additionalProperties: renderOpenApi(values) };
    }
    case 'list':
      return listShape(node);
    case 'object':
      return objectShape(node);
    default:
      return node satisfies never;
  }
}

function listShape(node: ListNode): OpenApi {
  return {
    type: 'array',
    minItems: node.minItems,
    maxItems: node.maxItems,
    'x-kubernetes-list-type': node.listType,
    'x-kubernetes-list-map-keys': node.keys,
    items: renderOpenApi(node.items),
  };
}

function objectShape(node: ObjectNode): OpenApi {
  if (node.embedded !== undefined) {
    return { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true };
  }
  const properties = Object.entries(node.fields).map(([name, field]) => [name, renderOpenApi(field)] as const);
  return {
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': node.unknown === 'Keep' ? true : undefined,
    required: node.required.length === 0 ? undefined : node.required,
    properties: properties.length === 0 ? undefined : Object.fromEntries(properties),
  };
}

function compact(value: OpenApi): OpenApi {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
}
