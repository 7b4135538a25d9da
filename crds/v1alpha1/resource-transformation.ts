/** ResourceTransformation: changes to make to resources on their way to another cluster. Its key is `specs`, not spec. */
import { defineKind, type Infer, list, map, type ObjectOf, object, oneOf, required, string } from '../schema/index.ts';
import { conditions, observedGeneration } from './condition.ts';

const path = object({
  path: required(
    string({
      minLength: 1,
      maxLength: 1024,
      description:
        'Dotted path inside the resource; or a JSON pointer when it begins with "/", for keys with dots and items of lists.',
    }),
  ),
  value: string({ maxLength: 65_536 }),
  type: oneOf(['', 'int', 'string', 'bool', 'slice', 'keypair']),
  operation: required(oneOf(['add', 'modify', 'delete', 'jsonpatch'])),
});

const transformSpec = object({
  resource: required(
    string({
      maxLength: 400,
      pattern: '^[^/]*/[^/]+/[^/]+$',
      description: 'group/version/Kind; the core group is empty: /v1/Service.',
    }),
  ),
  selectors: map(string({ maxLength: 63 }), {
    maxProperties: 100,
    description: 'Only resources with all of these labels.',
  }),
  paths: required(list(path, { minItems: 1, maxItems: 500 })),
});

const states = ['', 'InProgress', 'Ready', 'Failed'] as const;

const status = object({
  status: oneOf(states),
  resources: list(
    object({
      name: string(),
      namespace: string(),
      group: string(),
      version: string(),
      kind: string(),
      status: oneOf(states),
      reason: string(),
      specs: transformSpec,
    }),
  ),
  conditions,
  observedGeneration,
});

const specs = object({ transformSpecs: required(list(transformSpec, { minItems: 1, maxItems: 500 })) });

export const resourceTransformations = defineKind({
  kind: 'ResourceTransformation',
  plural: 'resourcetransformations',
  namespaced: true,
  description: 'Changes to make to resources on their way to another cluster.',
  shortNames: ['rt'],
  columns: [
    { name: 'Status', type: 'string', jsonPath: '.status.status' },
    { name: 'Created', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  fields: { specs: required(specs), status },
});

export type ResourceTransformation = ObjectOf<typeof resourceTransformations>;
export type ResourceTransformationStatus = Infer<typeof status>;
export type TransformSpec = Infer<typeof transformSpec>;
export type TransformPath = Infer<typeof path>;
