/**
 * ApplicationRegistration: which custom resources to collect and how to suspend them. `resources` stands beside metadata:
 * this kind has no spec and no status.
 */
import {
  boolean,
  defineKind,
  type Infer,
  list,
  type ObjectOf,
  object,
  oneOf,
  required,
  string,
} from '../schema/index.ts';

const suspendOptions = object({
  path: string({ maxLength: 1024, description: 'Dotted path of the field that suspends the application.' }),
  type: oneOf(['', 'int', 'bool', 'string']),
  value: string({ maxLength: 1024, description: 'What to write there; by default 0, true or "".' }),
});

const resource = object({
  group: required(string({ maxLength: 253 })),
  version: required(string({ minLength: 1, maxLength: 63 })),
  kind: required(string({ minLength: 1, maxLength: 63 })),
  keepStatus: boolean({ default: false, description: "Carry the object's status along." }),
  suspendOptions,
  podsPath: string({ maxLength: 1024, description: 'Dotted path of the list of its pods.' }),
  customSuspendOptions: list(suspendOptions, { maxItems: 100 }),
  stashStrategy: object({
    stashCR: boolean({ default: false, description: 'Carry the object inside a ConfigMap until it is activated.' }),
  }),
});

export const applicationRegistrations = defineKind({
  kind: 'ApplicationRegistration',
  plural: 'applicationregistrations',
  namespaced: false,
  description: 'Custom resources that belong to applications, and how to suspend them.',
  shortNames: ['appreg'],
  columns: [{ name: 'Created', type: 'date', jsonPath: '.metadata.creationTimestamp' }],
  fields: { resources: required(list(resource, { maxItems: 1000 })) },
});

export type ApplicationRegistration = ObjectOf<typeof applicationRegistrations>;
export type RegisteredResource = Infer<typeof resource>;
export type SuspendOptions = Infer<typeof suspendOptions>;
