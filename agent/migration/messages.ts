/**
 * What two agents say to each other about a migration: paths and schemas of the peer routes. Both sides import this file.
 * Every message is parsed with these schemas where it arrives; unknown fields are dropped (a newer peer may send more),
 * missing or oversized ones are refused by path. All requests are idempotent by the operation's uid.
 */
import {
  anything,
  boolean,
  type Infer,
  integer,
  list,
  map,
  number,
  object,
  oneOf,
  required,
  string,
  time,
} from '../../crds/schema/index.ts';

const name = () => required(string({ minLength: 1, maxLength: 253 }));
const text = () => string({ maxLength: 4096 });

/** An operation's uid: it becomes a label. */
const uid = () =>
  required(string({ minLength: 1, maxLength: 63, pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$' }));
/** As Kubernetes has them: nothing that could be a path. */
const objectName = () =>
  required(string({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$' }));
const namespaceName = () => string({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' });

/** Claims that travel in one mover: what one result has room for. */
export const maxGroupClaims = 16;
/** Claims that a pod mounts besides a group's. */
export const maxBeside = 256;
/** Claims in one operation. */
export const maxClaims = 5000;
/** Objects in one wave message; more are sent in several. */
export const maxWaveObjects = 500;

/** A claim as the source has it, reduced to what the destination needs to make its own. */
export const incomingVolumeSchema = object({
  namespace: required(namespaceName()),
  name: objectName(),
  /** uid of the source's claim. */
  uid: name(),
  /** Decimal bytes: larger than a JSON number may be. */
  sizeBytes: required(string({ pattern: '^[0-9]{1,20}$' })),
  volumeMode: required(oneOf(['Filesystem', 'Block'])),
  accessModes: required(list(string({ maxLength: 64 }), { maxItems: 8 })),
  storageClass: string({ maxLength: 253 }),
  labels: map(string({ maxLength: 4096 }), { maxProperties: 256 }),
  annotations: map(string({ maxLength: 262_144 }), { maxProperties: 256 }),
  /** Set on data that first came from the receiving cluster: the uid its claim has there, and what it held when it left. */
  origin: object({ uid: name(), digest: name() }),
});
export type IncomingVolume = Infer<typeof incomingVolumeSchema>;

export const planRequestSchema = object({
  namespaces: required(list(namespaceName(), { maxItems: 5000 })),
  claims: required(list(incomingVolumeSchema, { maxItems: maxClaims })),
  overwrite: required(boolean()),
});
export type PlanRequest = Infer<typeof planRequestSchema>;

export const claimAnswerSchema = object({
  namespace: name(),
  name: name(),
  decision: required(oneOf(['fill', 'update', 'refuse'])),
  storageClass: string({ maxLength: 253 }),
  code: string({ maxLength: 64 }),
  message: text(),
  hint: text(),
});
export type ClaimAnswer = Infer<typeof claimAnswerSchema>;

export const planAnswerSchema = object({
  claims: required(list(claimAnswerSchema, { maxItems: maxClaims })),
  /** What stands in the way besides claims, e.g. a namespace outside the grant. */
  problems: required(list(object({ code: name(), message: required(text()), hint: text() }), { maxItems: 5000 })),
  /** What this destination can do besides what every one could from the beginning. */
  features: list(string({ maxLength: 64 }), { maxItems: 64 }),
});
/** In `features`: it answers `POST purge`. */
export const purgeFeature = 'purge';
export type PlanAnswer = Infer<typeof planAnswerSchema>;

/** Where the pods that use the volumes may run, taken from such a pod's spec. */
export const placementSchema = object({
  nodeSelector: map(string({ maxLength: 253 }), { maxProperties: 64 }),
  tolerations: list(anything(), { maxItems: 64 }),
  affinity: anything(),
});
export type Placement = Infer<typeof placementSchema>;

/** As whom the pods run that use the volumes, for where root is not admitted and none of them is there yet. */
export const identitySchema = object({
  runAsUser: required(integer({ minimum: 1, maximum: 2_147_483_647 })),
  runAsGroup: integer({ minimum: 0, maximum: 2_147_483_647 }),
  fsGroup: integer({ minimum: 0, maximum: 2_147_483_647 }),
  supplementalGroups: list(integer({ minimum: 0, maximum: 2_147_483_647 }), { maxItems: 64 }),
});

/** One group of claims to receive; the body of `PUT groups/RUN`, and what a receive record keeps. */
export const receiveRequestSchema = object({
  operation: uid(),
  /** The Migration, for labels and messages: `namespace/name` on the source. */
  migration: name(),
  run: name(),
  group: required(string({ minLength: 1, maxLength: 65_536 })),
  mode: required(oneOf(['fresh', 'update'])),
  overwrite: required(boolean()),
  /** Everything is to be read, whatever is known from the last sync. */
  readAll: boolean(),
  claims: required(list(incomingVolumeSchema, { minItems: 1, maxItems: maxGroupClaims })),
  placement: placementSchema,
  identity: identitySchema,
  /** Other claims of the namespace that the pod with that placement mounts. */
  beside: list(string({ maxLength: 253 }), { maxItems: maxBeside }),
});
export type ReceiveRequest = Infer<typeof receiveRequestSchema>;

export const volumeOutcomeSchema = object({
  name: name(),
  digest: name(),
  /** The short digest of what the source sent, where some of its metadata could not be set. */
  sent: string({ maxLength: 64 }),
  files: required(number()),
  bytes: required(number()),
  bytesSent: required(number()),
  degraded: map(number(), { maxProperties: 64 }),
});

export const receiveAnswerSchema = object({
  phase: required(oneOf(['Working', 'Complete', 'Failed'])),
  reason: required(string({ maxLength: 64 })),
  message: required(text()),
  hint: text(),
  /** What the destination mover last said that it does. */
  mover: string({ maxLength: 64 }),
  /** How far it is with that. */
  progress: object({
    bytesDone: required(number()),
    bytesTotal: required(number()),
    bytesPerSecond: required(number()),
  }),
  /** The point that became complete, with Complete. */
  point: integer(),
  volumes: list(volumeOutcomeSchema, { maxItems: 64 }),
  /** What was overwritten and where it is kept, one sentence each. */
  kept: list(text(), { maxItems: maxGroupClaims }),
});
export type ReceiveAnswer = Infer<typeof receiveAnswerSchema>;

/** What a poll of `GET groups/RUN` answers; without `answer` the destination knows no such run. */
export const groupStateSchema = object({ answer: receiveAnswerSchema });
export type GroupState = Infer<typeof groupStateSchema>;

/** `reason` of a group that is working: its volumes are being changed, and will be until it is done. */
export const applyingReason = 'Applying';

const looseObject = object(
  {
    apiVersion: required(string({ minLength: 1, maxLength: 317 })),
    kind: required(string({ minLength: 1, maxLength: 63 })),
    metadata: required(object({ name: name(), namespace: namespaceName() }, { unknown: 'Keep' })),
  },
  { unknown: 'Keep' },
);

/** A requester's name is cut to this. */
export const maxRequesterLength = 253;

export const waveRequestFields = {
  migration: name(),
  time: required(string({ maxLength: 64 })),
  /** Who asked on the source: written on the objects for audits, and no ground for any right here. */
  requester: string({ maxLength: maxRequesterLength }),
  objects: required(list(looseObject, { maxItems: maxWaveObjects })),
};
export const waveRequestSchema = object(waveRequestFields);
export type WaveRequest = Infer<typeof waveRequestSchema>;

export const objectResultFields = {
  group: required(string({ maxLength: 253 })),
  version: required(string({ maxLength: 63 })),
  kind: name(),
  namespace: string({ maxLength: 253 }),
  name: name(),
  result: required(string({ maxLength: 32 })),
  reason: text(),
  /** Who keeps the destination's object in line with Git. */
  managedBy: string({ maxLength: 1024 }),
};

export const waveAnswerSchema = object({
  results: required(list(object(objectResultFields), { maxItems: maxWaveObjects })),
});
export type WaveAnswer = Infer<typeof waveAnswerSchema>;

/** What the destination serves, so that each kind travels in a version that both sides know. */
export const kindsAnswerSchema = object({
  kinds: required(
    list(
      object({
        group: required(string({ maxLength: 253 })),
        version: required(string({ maxLength: 63 })),
        kind: name(),
      }),
      { maxItems: 20_000 },
    ),
  ),
  /** What this destination can do with objects besides what every one could from the beginning. */
  features: list(string({ maxLength: 64 }), { maxItems: 64 }),
});
/** In `features`: it seals what travels stashed, and makes it from there when it is activated. */
export const stashFeature = 'stash';

/** Names in one purge message; more are sent in several. */
export const maxPurgeNames = 10_000;
/** Scopes in one purge message. */
export const maxPurgeScopes = 500;
/** Objects that one answer tells of; the source asks again for the rest. */
export const maxPurgeResults = 2000;

/** All names that the source has of one kind in one namespace, between `after` (exclusive) and `upTo` (inclusive). */
export const purgeScopeSchema = object({
  namespace: required(namespaceName()),
  group: required(string({ maxLength: 253 })),
  version: name(),
  kind: name(),
  after: string({ maxLength: 253 }),
  upTo: string({ maxLength: 253 }),
  names: required(list(string({ maxLength: 253 }), { maxItems: maxPurgeNames })),
});

export const purgeRequestSchema = object({
  migration: name(),
  /** When the source began to look at what it has; what came to the destination later is left. */
  since: required(time()),
  /** The namespaces, and since when the source has them: one that was made anew there says nothing of what came before. */
  namespaces: required(map(string({ maxLength: 64 }), { maxProperties: 5000 })),
  selectors: map(string({ maxLength: 63 }), { maxProperties: 500 }),
  excludeSelectors: map(string({ maxLength: 63 }), { maxProperties: 500 }),
  scopes: required(list(purgeScopeSchema, { maxItems: maxPurgeScopes })),
  /** Only tell what would be deleted. */
  dryRun: boolean(),
});
export type PurgeRequest = Infer<typeof purgeRequestSchema>;

export const purgeAnswerSchema = object({
  /** `result`: `Purged`, or `Failed` with its reason. */
  results: required(list(object(objectResultFields), { maxItems: maxPurgeResults + maxClaims })),
  /** What could not be looked at, one sentence each. */
  notPurged: required(list(text(), { maxItems: 5000 })),
  /** `Yes`: there is more to purge than this answer tells of. */
  more: required(oneOf(['Yes', 'No'])),
});
export type PurgeAnswer = Infer<typeof purgeAnswerSchema>;

/** Objects in one request to start them; more are started by several. */
export const maxActivateObjects = 5000;

export const activateRequestSchema = object({
  migration: name(),
  namespaces: required(list(namespaceName(), { maxItems: 5000 })),
  /** What the migration brought: nothing else is started. An older peer sends none and means all. */
  objects: list(
    object({
      group: required(string({ maxLength: 253 })),
      kind: name(),
      namespace: required(namespaceName()),
      name: required(string({ minLength: 1, maxLength: 253 })),
    }),
    { maxItems: maxActivateObjects },
  ),
});
export const activateAnswerSchema = object({
  messages: required(list(text(), { maxItems: 20_000 })),
  failures: required(list(text(), { maxItems: 20_000 })),
});

export const removeAnswerSchema = object({
  /** `Gone`: nothing of the operation is left on the destination. */
  state: required(oneOf(['Gone', 'Removing'])),
  left: list(text(), { maxItems: 100 }),
});

export const paths = {
  plan: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/plan`,
  group: (operation: string, run: string) =>
    `/v1/operations/${encodeURIComponent(operation)}/groups/${encodeURIComponent(run)}`,
  kinds: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/kinds`,
  planObjects: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/plan-objects`,
  planSpeed: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/plan-speed`,
  planSurroundings: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/plan-surroundings`,
  wave: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/wave`,
  activate: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/activate`,
  purge: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}/purge`,
  operation: (operation: string) => `/v1/operations/${encodeURIComponent(operation)}`,
  stream: (run: string) => `/v1/runs/${encodeURIComponent(run)}/stream`,
} as const;
