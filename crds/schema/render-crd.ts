/** A kind's CustomResourceDefinition, as crds/manifests holds it and `kubectl stork install` applies it. */
import type { Kind, PrinterColumn } from './define-kind.ts';
import type { Node } from './node.ts';
import { type OpenApi, renderOpenApi } from './render-open-api.ts';

export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

export function renderCrd(kind: Kind): CustomResourceDefinition {
  const { plural, singular, shortNames, categories, columns } = kind;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${kind.group}` },
    spec: {
      group: kind.group,
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular,
        ...(shortNames.length === 0 ? {} : { shortNames }),
        categories,
      },
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          ...(kind.statusSubresource === 'Yes' ? { subresources: { status: {} } } : {}),
          ...(columns.length === 0 ? {} : { additionalPrinterColumns: columns.map(columnOf) }),
          schema: { openAPIV3Schema: renderOpenApi(plainMetadata(kind.schema.node)) },
        },
      ],
    },
  };
}

function columnOf({ name, type, jsonPath, description, priority }: PrinterColumn): OpenApi {
  return {
    name,
    type,
    jsonPath,
    ...(description === undefined ? {} : { description }),
    ...(priority === undefined ? {} : { priority }),
  };
}

/** The API server owns metadata's schema and refuses one that says more than `type: object`. */
function plainMetadata(node: Node): Node {
  if (node.type !== 'object') return node;
  const metadata: Node = { type: 'object', fields: {}, required: [], unknown: 'Prune' };
  return { ...node, fields: { ...node.fields, metadata } };
}
