/**
 * Rule: commands run in pods before or after an operation. `rules` stands beside metadata: this kind has no spec and no
 * status.
 */
import {
  boolean,
  defineKind,
  type Infer,
  integer,
  list,
  map,
  type ObjectOf,
  object,
  oneOf,
  required,
  rule,
  string,
  withRules,
} from '../schema/index.ts';

const actionFields = object({
  type: required(oneOf(['command'])),
  background: boolean({
    default: false,
    description: `Keep the command running until the operation's point in time; it must wait by \${WAIT_CMD}.`,
  }),
  runInSinglePod: boolean({ default: false, description: 'Run in the first matching pod instead of in all.' }),
  value: required(string({ minLength: 1, maxLength: 16_384, description: 'The command line, run by `sh -c`.' })),
  timeoutSeconds: integer({ minimum: 1, maximum: 86_400, description: 'How long the command may take, or be held.' }),
  onError: oneOf(['Fail', 'Continue'], { default: 'Fail' }),
});

const action = withRules(
  actionFields,
  rule<Infer<typeof actionFields>>(
    `!self.background || self.value.contains("\${WAIT_CMD}")`,
    `a background action must contain \${WAIT_CMD}, which is how it is told to end`,
    (self) => !self.background || self.value.includes(`\${WAIT_CMD}`),
  ),
);

/** 20 × 20 × 16 KiB: what the API server's cost estimate allows for the CEL rule above. */
const item = object({
  podSelector: map(string({ maxLength: 63 }), { maxProperties: 100, description: 'Pods with all of these labels.' }),
  container: string({ maxLength: 63, description: "The pod's first container when absent." }),
  actions: required(list(action, { minItems: 1, maxItems: 20 })),
});

export const rules = defineKind({
  kind: 'Rule',
  plural: 'rules',
  namespaced: true,
  description: 'Commands to run in pods before or after an operation.',
  columns: [{ name: 'Created', type: 'date', jsonPath: '.metadata.creationTimestamp' }],
  fields: { rules: required(list(item, { minItems: 1, maxItems: 20 })) },
});

export type Rule = ObjectOf<typeof rules>;
export type RuleItem = Infer<typeof item>;
export type RuleAction = Infer<typeof action>;
