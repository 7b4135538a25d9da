/**
 * Action: a one-shot job. Stork's failover, failback and nearsyncFailover; ours: activate and deactivate, which is how
 * `kubectl stork activate migration` asks the agent (also on a cluster whose peer is dead).
 */
import {
  boolean,
  defineKind,
  type Infer,
  type Input,
  list,
  type ObjectOf,
  object,
  oneOf,
  required,
  rule,
  string,
  time,
  withRules,
} from '../schema/index.ts';
import { conditions, observedGeneration } from './condition.ts';

const namespaces = (description: string) =>
  list(string({ minLength: 1, maxLength: 63 }), { maxItems: 5000, description });

const activated = {
  namespaces: required(
    list(string({ minLength: 1, maxLength: 63 }), {
      minItems: 1,
      maxItems: 5000,
      description: 'Whose migrated applications; "*" (in the agent\'s namespace only) is every namespace.',
    }),
  ),
};

const specFields = object({
  actionType: required(oneOf(['nearsyncFailover', 'failover', 'failback', 'activate', 'deactivate'])),
  actionParameter: object({
    failoverParameter: object({
      failoverNamespaces: namespaces("Of the schedule's namespaces; all when absent."),
      migrationScheduleReference: string({ maxLength: 253 }),
      skipSourceOperations: boolean(),
    }),
    failbackParameter: object({
      failbackNamespaces: namespaces("Of the schedule's namespaces; all when absent."),
      migrationScheduleReference: string({ maxLength: 253 }),
    }),
    activateParameter: object(activated),
    deactivateParameter: object({
      ...activated,
      includeOriginals: boolean({
        description: 'Stop also what did not come by a migration: the originals, on the cluster they came from.',
      }),
    }),
  }),
});

type SpecFields = Infer<typeof specFields>;

const spec = withRules(
  specFields,
  rule<SpecFields>(
    'self.actionType != "activate" || (has(self.actionParameter) && has(self.actionParameter.activateParameter))',
    'actionType activate needs spec.actionParameter.activateParameter',
    (self) => self.actionType !== 'activate' || self.actionParameter?.activateParameter !== undefined,
  ),
  rule<SpecFields>(
    'self.actionType != "deactivate" || (has(self.actionParameter) && has(self.actionParameter.deactivateParameter))',
    'actionType deactivate needs spec.actionParameter.deactivateParameter',
    (self) => self.actionType !== 'deactivate' || self.actionParameter?.deactivateParameter !== undefined,
  ),
  rule<SpecFields>(
    'self == oldSelf',
    "spec of an Action can't change: create another Action",
    (self, old) => old === undefined || JSON.stringify(self) === JSON.stringify(old),
  ),
);

export const actionStates = [
  '',
  'Scheduled',
  'In-Progress',
  'Failed',
  'Successful',
  'RollbackSuccessful',
  'RollbackFailed',
] as const;

export const actionStages = [
  '',
  'ScaleDownDestination',
  'ScaleDownSource',
  'ScaleUpDestination',
  'ScaleUpSource',
  'LastMileMigration',
  'WaitAfterScaleDown',
  'Final',
] as const;

const perNamespace = () =>
  list(object({ namespace: string(), status: oneOf(actionStates), reason: string() }), { maxItems: 5000 });

const status = object({
  stage: oneOf(actionStages),
  status: oneOf(actionStates),
  finishTimestamp: time(),
  reason: string(),
  summary: object({
    failoverSummary: perNamespace(),
    failbackSummary: perNamespace(),
    activationSummary: perNamespace(),
  }),
  messages: list(string(), { description: 'What was done, one line an object, in order.' }),
  conditions,
  observedGeneration,
});

export const actions = defineKind({
  kind: 'Action',
  plural: 'actions',
  namespaced: true,
  description: 'A one-shot job: activate, deactivate, failover, failback.',
  columns: [
    { name: 'Action', type: 'string', jsonPath: '.spec.actionType' },
    { name: 'Created', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Stage', type: 'string', jsonPath: '.status.stage' },
    { name: 'Status', type: 'string', jsonPath: '.status.status' },
    { name: 'More Info', type: 'string', jsonPath: '.status.reason' },
  ],
  fields: { spec: required(spec), status },
});

export type Action = ObjectOf<typeof actions>;
export type ActionSpec = Infer<typeof spec>;
export type ActionSpecInput = Input<typeof spec>;
export type ActionStatus = Infer<typeof status>;
export type ActionState = (typeof actionStates)[number];
export type ActionStage = (typeof actionStages)[number];
