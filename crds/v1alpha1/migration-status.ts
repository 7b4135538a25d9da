/** What the migration controller tells about a Migration: Stork's fields, and ours for progress, rules and proof. */
import { boolean, type Infer, integer, list, number, object, oneOf, required, string, time } from '../schema/index.ts';
import { conditions, observedGeneration } from './condition.ts';

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
  volume: string({ description: 'The PersistentVolume here.' }),
  status: oneOf(migrationStates),
  bytesTotal: count(),
  reason: string(),
  group: string({ description: 'Volumes of one group are moved by one mover and cut together.' }),
  snapshot: string({ description: 'The snapshot read from; empty when the live volume was read.' }),
  bytesSent: count(),
  bytesRead: count(),
  digest: string({ description: 'Of everything that was read back on the destination.' }),
  point: string({ description: 'The point in time that the destination holds now.' }),
});

const rule = object(
  {
    podsRunning: list(
      object({
        rule: string(),
        task: string({ description: 'Names the command and its files inside the pod.' }),
        namespace: string(),
        name: string(),
        uid: string(),
        container: string(),
        startedTimestamp: time(),
        deadlineTimestamp: time(),
      }),
      { description: 'Background commands that still run, so that a restarted agent can release them.' },
    ),
    completed: list(string(), { description: 'Rules that have run, in order.' }),
    blockedMilliseconds: integer({ minimum: 0, description: 'How long background commands held the application.' }),
    releasedTimestamp: time(),
    output: list(
      object({
        rule: string(),
        namespace: string(),
        pod: string(),
        container: string(),
        action: integer({ minimum: 0 }),
        exitCode: integer(),
        text: string({ maxLength: 8192, description: 'The last lines, redacted.' }),
      }),
      { maxItems: 200 },
    ),
  },
  { description: 'What the pre and post exec rules did.' },
);

const plan = object(
  {
    objects: list(
      object({
        ...identity,
        action: required(oneOf(['Create', 'Update', 'Skip', 'Conflict'])),
        reason: string(),
      }),
    ),
    missing: list(string(), { description: 'What the destination lacks, one sentence each.' }),
    bytesTotal: count(),
    truncated: boolean({ description: 'Whether there were more objects than are listed.' }),
  },
  { description: 'What a dry run found.' },
);

export const migrationStatus = object({
  stage: oneOf(migrationStages),
  status: oneOf(migrationStates),
  resources: list(resource),
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
  plan,
  conditions,
  observedGeneration,
});

export type MigrationState = (typeof migrationStates)[number];
export type MigrationStage = (typeof migrationStages)[number];
export type MigrationVolume = Infer<typeof volume>;
export type MigrationResource = Infer<typeof resource>;
export type MigrationRuleStatus = Infer<typeof rule>;
export type MigrationPlan = Infer<typeof plan>;
