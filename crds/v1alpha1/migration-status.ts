/** What the migration controller tells about a Migration: Stork's fields, and ours for progress, rules and proof. */
import { type Infer, integer, list, number, object, oneOf, required, string, time } from '../schema/index.ts';
import { conditions, observedGeneration } from './condition.ts';
import { migrationPlan } from './migration-plan.ts';

const count = () => integer({ minimum: 0 });

export const migrationStates = [
  '',
  'Pending',
  'InProgress',
  'Failed',
  'PartialSuccess',
  'Successful',
  'Purged',
] as const;
export const migrationStages = [
  '',
  'PreExecRule',
  'PostExecRule',
  'Volumes',
  'Applications',
  'Planned',
  'Final',
] as const;

const identity = {
  name: string(),
  namespace: string(),
  group: string(),
  version: string(),
  kind: string(),
};

const resource = object({
  ...identity,
  status: oneOf(migrationStates),
  reason: string(),
  transformedBy: string(),
});

const volume = object({
  persistentVolumeClaim: string(),
  namespace: string(),
  uid: string({ description: 'uid of the claim here.' }),
  volume: string({ description: 'The PersistentVolume here.' }),
  mode: oneOf(['fresh', 'update'], { description: 'Whether the destination has the claim already.' }),
  status: oneOf(migrationStates),
  bytesTotal: count(),
  reason: string(),
  group: string({ description: 'Volumes of one group are moved by one mover and cut together.' }),
  consumer: string({ description: 'A pod that mounts the volume; its placement rules are kept.' }),
  snapshot: string({ description: 'The snapshot read from; empty when the live volume was read.' }),
  cutTimestamp: time({ description: 'The point in time the copy shows.' }),
  bytesSent: count(),
  bytesRead: count(),
  digest: string({ description: 'Of everything that was read back on the destination.' }),
  point: string({ description: 'The point in time that the destination holds now.' }),
});

const ruleTarget = object({
  namespace: required(string()),
  pod: required(string()),
  podUid: required(string()),
  container: required(string()),
  key: string({ description: 'Names the files of a background command inside the pod.' }),
  state: required(oneOf(['Planned', 'Starting', 'Holding', 'Done', 'Failed'])),
  deadline: time({ description: 'When the command lets go by itself.' }),
  provenTime: time({ description: 'When it was last seen holding, after every volume was cut.' }),
  heldMs: count(),
  exitCode: integer(),
  reason: string(),
  message: string(),
  released: oneOf(['Yes'], { description: 'It was seen that nothing of it holds any more.' }),
  output: string({ maxLength: 8192, description: 'The last of what it wrote, redacted.' }),
});

const ruleRun = object(
  {
    rule: required(string()),
    position: required(oneOf(['Pre', 'Post'])),
    attempt: required(count()),
    ruleDigest: required(string()),
    steps: required(
      list(
        object({
          id: required(string()),
          kind: required(oneOf(['Foreground', 'Background'])),
          onError: required(oneOf(['Fail', 'Continue'])),
          targets: required(list(ruleTarget, { maxItems: 200 })),
        }),
        { maxItems: 200 },
      ),
    ),
  },
  { description: 'A rule in execution; enough to continue or undo it after a restart.' },
);

const rule = object(
  {
    pre: ruleRun,
    post: ruleRun,
    blockedMilliseconds: integer({ minimum: 0, description: 'How long background commands held the application.' }),
    releasedTimestamp: time(),
  },
  { description: 'What the pre and post exec rules did.' },
);

const quiesce = object(
  {
    deadline: required(time({ description: 'When the workloads come back, copied or not.' })),
    claims: list(string(), { maxItems: 5000, description: 'namespace/name of the claims they write.' }),
    workloads: list(
      object({
        apiVersion: required(string()),
        kind: required(string()),
        namespace: required(string()),
        name: required(string()),
        uid: required(string()),
        before: string({ description: 'What it was, in words.' }),
        state: required(oneOf(['Planned', 'Stopped', 'Resumed'])),
        reason: string(),
      }),
      { maxItems: 500 },
    ),
    stoppedTimestamp: time({ description: 'When nothing that writes the volumes ran any more.' }),
    resumedTimestamp: time({ description: 'When all workloads were as before.' }),
  },
  { description: 'Workloads that are stopped while volumes without snapshots are copied; what they were is on each.' },
);

export const migrationStatus = object({
  stage: oneOf(migrationStages),
  status: oneOf(migrationStates),
  resources: list(resource, {
    description:
      'Failures first; when there are more than a status has room for, the rest is counted in omittedResources.',
  }),
  omittedResources: object(
    { successful: count(), failed: count() },
    { description: 'Resources that are counted in the summary and not listed.' },
  ),
  skipped: object(
    {
      total: required(count()),
      groups: required(
        list(
          object({
            kind: required(string()),
            reason: required(string()),
            count: required(count()),
            names: required(list(string(), { maxItems: 10, description: 'The first of them.' })),
          }),
          { maxItems: 50 },
        ),
      ),
    },
    { description: 'What was left out on purpose, by kind and reason, the most first.' },
  ),
  volumes: list(volume),
  finishTimestamp: time(),
  volumeMigrationFinishTimestamp: time(),
  resourceMigrationFinishTimestamp: time(),
  summary: object({
    totalNumberOfVolumes: count(),
    numOfMigratedVolumes: count(),
    totalNumberOfResources: count(),
    numOfMigratedResources: count(),
    totalBytesMigrated: count(),
    elapsedTimeForVolumeMigration: string(),
    elapsedTimeForResourceMigration: string(),
    volumes: string({ description: 'done/total, for the table.' }),
    resources: string({ description: 'done/total, for the table.' }),
    elapsed: string({ description: 'From creation to the end, for the table.' }),
  }),
  progress: object({
    bytesDone: count(),
    bytesTotal: count(),
    bytesSent: count(),
    bytesPerSecond: number({ minimum: 0 }),
    etaSeconds: number({ minimum: 0 }),
  }),
  reason: string({ description: 'Why it waits or failed, one sentence.' }),
  activeSide: string({ description: 'In words: on which cluster the applications run.' }),
  rule,
  quiesce,
  plan: migrationPlan,
  stageStartTimestamp: time(),
  ending: object(
    { status: required(oneOf(migrationStates)), reason: string() },
    { description: 'How it ends, decided before temporary objects are removed.' },
  ),
  conditions,
  observedGeneration,
});

export type MigrationState = (typeof migrationStates)[number];
export type MigrationStage = (typeof migrationStages)[number];
export type MigrationVolume = Infer<typeof volume>;
export type MigrationResource = Infer<typeof resource>;
export type MigrationQuiesce = Infer<typeof quiesce>;
export type MigrationRuleStatus = Infer<typeof rule>;
