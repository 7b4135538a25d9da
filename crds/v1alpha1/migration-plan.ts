/**
 * What a dry run of a Migration found. Small enough for etcd whatever the namespaces hold: counts, the objects that a person
 * should look at, and all of them packed (crds/packed-plan.ts).
 */
import { boolean, type Infer, integer, list, number, object, oneOf, required, string } from '../schema/index.ts';

const count = () => integer({ minimum: 0 });

export const planLimits = {
  /** Objects listed in plain words. */
  objects: 100,
  kinds: 500,
  volumes: 300,
  sentences: 100,
  /** Characters of the packed list. */
  packed: 600_000,
} as const;

export const planActions = ['Create', 'Update', 'Unchanged', 'Skip', 'Conflict', 'Fail', 'Delete'] as const;
export type PlanAction = (typeof planActions)[number];

const identityAndAction = {
  group: string(),
  version: string(),
  kind: string(),
  namespace: string(),
  name: string(),
  action: required(oneOf(planActions)),
  reason: string(),
  transformedBy: string(),
};

const change = object({ path: required(string()), before: string(), after: string() });

/** One line of the packed list. */
export const plannedObject = object({
  ...identityAndAction,
  tried: oneOf(['No'], { description: 'The API server there could not be asked yet.' }),
  served: oneOf(['No'], { description: 'The API server there does not know the kind.' }),
  changes: list(change),
});
export type PlannedObject = Infer<typeof plannedObject>;

const sentences = (description: string) => list(string(), { maxItems: planLimits.sentences, description });

export const migrationPlan = object(
  {
    verdict: oneOf(['Ready', 'Partial', 'Refused'], {
      description: 'Ready: all of it would be migrated. Partial: some objects would not. Refused: nothing would begin.',
    }),
    refusals: sentences('What would refuse it, and what to do.'),
    missing: sentences('What applications need and the destination lacks.'),
    warnings: sentences('What else to know before it runs.'),
    counts: object({
      create: count(),
      update: count(),
      unchanged: count(),
      skip: count(),
      conflict: count(),
      fail: count(),
      delete: count(),
    }),
    kinds: list(
      object({
        group: string(),
        kind: required(string()),
        create: count(),
        update: count(),
        unchanged: count(),
        other: integer({ minimum: 0, description: 'Skipped, conflicting, failing or deleted.' }),
      }),
      { maxItems: planLimits.kinds },
    ),
    objects: list(object(identityAndAction), {
      maxItems: planLimits.objects,
      description: 'The first of them: conflicts, failures and deletions before changes, changes before the rest.',
    }),
    packedObjects: string({
      maxLength: planLimits.packed,
      description: 'All objects, one JSON a line, gzip, base64.',
    }),
    truncated: boolean({ description: 'Whether not even packedObjects has all of them.' }),
    volumes: list(
      object({
        namespace: required(string()),
        persistentVolumeClaim: required(string()),
        action: required(oneOf(['Fill', 'Update', 'Refuse'])),
        storageClass: string(),
        reason: string(),
        capacityBytes: count(),
        usedBytes: count(),
        usedFrom: oneOf(['Storage', 'LastPoint'], {
          description: 'Who says how much is used; absent when nobody does.',
        }),
        cut: oneOf(['Snapshot', 'Live'], { description: 'Live: its storage has no snapshots.' }),
      }),
      { maxItems: planLimits.volumes },
    ),
    bytesTotal: integer({ minimum: 0, description: 'Of volumes whose use is known.' }),
    volumesUnknown: integer({ minimum: 0, description: 'Volumes whose use nobody tells; not in bytesTotal.' }),
    estimate: object({
      seconds: number({ minimum: 0 }),
      bytesPerSecond: number({ minimum: 0 }),
      how: required(string({ description: 'Where the figures come from, or why there are none.' })),
    }),
    webhooks: sentences('Admission webhooks of the destination that would see the objects.'),
    images: sentences('Images of the applications, by digest where a running pod tells it.'),
    rules: sentences('Rules that would run, and in which pods.'),
    stops: sentences('Workloads that would be stopped while volumes without snapshots are copied.'),
    activeSideAfter: string({ description: 'In words: on which cluster the applications would run.' }),
  },
  { description: 'What a dry run found.' },
);
export type MigrationPlan = Infer<typeof migrationPlan>;
