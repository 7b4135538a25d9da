/**
 * Migration: copies namespaces' volumes and resources to a ClusterPair, once. Stork's fields and defaults; what we add
 * is optional. Stages: "" (Initial) → PreExecRule → Volumes → Applications → Final.
 */
import {
  boolean,
  defineKind,
  type Infer,
  type Input,
  integer,
  list,
  map,
  type ObjectOf,
  object,
  required,
  rule,
  string,
  withRules,
} from '../schema/index.ts';
import { migrationStatus } from './migration-status.ts';

const labels = (description: string) => map(string({ maxLength: 63 }), { maxProperties: 500, description });

const specFields = object({
  clusterPair: required(
    string({
      minLength: 1,
      maxLength: 253,
      description: "The ClusterPair to send to, looked up in this namespace, then in the agent's.",
    }),
  ),
  adminClusterPair: string({ maxLength: 253, description: 'A ClusterPair whose grant covers cluster-scoped objects.' }),
  namespaces: list(string({ minLength: 1, maxLength: 63 }), { maxItems: 5000 }),
  namespaceSelectors: labels('Namespaces with any of these labels.'),
  includeResources: boolean({ default: true }),
  includeVolumes: boolean({ default: true }),
  startApplications: boolean({ default: false, description: 'Start on the destination what this migration brought.' }),
  purgeDeletedResources: boolean({
    default: false,
    description: 'Delete what an earlier migration brought to the destination and the source no longer has.',
  }),
  skipServiceUpdate: boolean({ default: false, description: 'Keep addresses in Services.' }),
  includeNetworkPolicyWithCIDR: boolean({ default: false }),
  selectors: labels('Only resources with all of these labels, cluster-scoped ones too.'),
  excludeSelectors: labels('No resource with any of these labels.'),
  preExecRule: string({ maxLength: 253, description: 'The Rule to run before the volumes are cut.' }),
  postExecRule: string({ maxLength: 253, description: 'The Rule to run as soon as the volumes are cut.' }),
  includeOptionalResourceTypes: list(string({ maxLength: 63 }), { maxItems: 500 }),
  skipDeletedNamespaces: boolean({ default: true }),
  transformSpecs: list(string({ maxLength: 253 }), { maxItems: 1, description: 'The ResourceTransformation to use.' }),
  ignoreOwnerReferencesCheck: boolean({ default: false }),
  excludeResourceTypes: list(string({ maxLength: 317 }), {
    maxItems: 500,
    description: 'Kinds to leave out: `Kind`, `Kind.group`, `plural.group`, or `*.group`.',
  }),
  dryRun: boolean({ default: false, description: 'Plan only: ends in stage Planned, nothing is changed.' }),
  overwriteDestination: boolean({
    default: false,
    description:
      'Where pods use a destination volume: snapshot it, scale them down, then overwrite. Recorded in status.',
  }),
  readAll: boolean({
    default: false,
    description:
      'Read every byte of the volumes on both sides, also where nothing has changed since the last sync as far as file times tell.',
  }),
  quiesce: boolean({
    default: false,
    description:
      'Stop the workloads that write volumes whose storage has no snapshots while these are copied, and bring them back as they were.',
  }),
  quiesceTimeoutSeconds: integer({
    minimum: 30,
    maximum: 7 * 24 * 3600,
    description: 'With quiesce: after how long the workloads come back, copied or not; 3600 by default. It fails then.',
  }),
  storageClassMapping: map(string({ maxLength: 253 }), {
    maxProperties: 500,
    description: 'StorageClass here → StorageClass on the destination; by default one of the same name.',
  }),
});

type SpecFields = Infer<typeof specFields>;

const spec = withRules(
  specFields,
  rule<SpecFields>(
    '(has(self.namespaces) && size(self.namespaces) > 0) || (has(self.namespaceSelectors) && size(self.namespaceSelectors) > 0)',
    'spec.namespaces or spec.namespaceSelectors must name what to migrate',
    (self) => (self.namespaces ?? []).length > 0 || Object.keys(self.namespaceSelectors ?? {}).length > 0,
  ),
  rule<SpecFields>(
    'self.includeResources || self.includeVolumes',
    'spec.includeResources and spec.includeVolumes are both false: nothing would be migrated',
    (self) => self.includeResources || self.includeVolumes,
  ),
  rule<SpecFields>(
    'self.includeResources || !self.startApplications',
    'spec.startApplications needs spec.includeResources: without resources there is nothing to start',
    (self) => self.includeResources || !self.startApplications,
  ),
);

interface Started {
  readonly spec: SpecFields;
  readonly status?: MigrationStatus | undefined;
}

const sameOnceStarted = rule<Started>(
  '!has(oldSelf.status) || !has(oldSelf.status.stage) || oldSelf.status.stage == "" || self.spec == oldSelf.spec',
  "spec can't change once the migration has started: create another Migration",
  (self, old) => (old?.status?.stage ?? '') === '' || sameJson(self.spec, old?.spec),
);

export const migrations = defineKind({
  kind: 'Migration',
  plural: 'migrations',
  namespaced: true,
  description: 'Copies applications, their volumes and resources, to a paired cluster.',
  shortNames: ['mig'],
  columns: [
    { name: 'ClusterPair', type: 'string', jsonPath: '.spec.clusterPair' },
    { name: 'Stage', type: 'string', jsonPath: '.status.stage' },
    { name: 'Status', type: 'string', jsonPath: '.status.status' },
    { name: 'Volumes', type: 'string', jsonPath: '.status.summary.volumes' },
    { name: 'Resources', type: 'string', jsonPath: '.status.summary.resources' },
    { name: 'Created', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Elapsed', type: 'string', jsonPath: '.status.summary.elapsed' },
    { name: 'Active-Side', type: 'string', jsonPath: '.status.activeSide', priority: 1 },
    { name: 'Skipped', type: 'integer', jsonPath: '.status.skipped.total', priority: 1 },
    { name: 'Bytes-Sent', type: 'integer', jsonPath: '.status.progress.bytesSent', priority: 1 },
  ],
  fields: { spec: required(spec), status: migrationStatus },
  rules: [sameOnceStarted],
});

export type Migration = ObjectOf<typeof migrations>;
export type MigrationSpec = Infer<typeof spec>;
export type MigrationSpecInput = Input<typeof spec>;
export type MigrationStatus = Infer<typeof migrationStatus>;

/** Both have passed the same schema, so key order is the only freedom left. */
function sameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, item]) => [name, sorted(item)]);
}
