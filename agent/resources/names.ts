/** Stork's annotations and labels on resources, and ours beside them. The values are an interface: users read and set them. */
const prefix = 'stork.libopenstorage.org/';

export const storkPrefix = prefix;

export const storkNames = {
  /** `true`: not collected. */
  skipResource: `${prefix}skip-resource`,
  /** Older spelling of {@link skipResource}. */
  skipResourceOld: `${prefix}skipresource`,
  /** `true`: collected although an owner is. */
  skipOwnerCheck: `${prefix}skip-owner-ref-check`,
  /** `true`: travels as it is, without rewriting. */
  skipModify: `${prefix}skip-modify-resource`,
  /** `true`: Endpoints are collected although they don't look made by hand. */
  includeResource: `${prefix}include-resource`,
  /** Label: the workload came by a migration. */
  migrated: `${prefix}migrated`,
  migrationName: `${prefix}migrationName`,
  migrationNamespace: `${prefix}migrationNamespace`,
  migrationTime: `${prefix}migrationTime`,
  /** Ours: the user who asked for the migration on its source, for audits. */
  migrationRequester: `${prefix}migration-requester`,
  /** The count that activation brings back. */
  migrationReplicas: `${prefix}migrationReplicas`,
  resourceHash: `${prefix}resource-hash`,
  /** Stork's: the ResourceTransformation that changed the object on its way. */
  transformation: `${prefix}resourcetransformation-name`,
  /** Stork's label: a ConfigMap that holds a custom resource until it is activated. */
  stash: `${prefix}stash-cr`,
  /** Ours, on such a ConfigMap: which object it holds, as whom it is written, the seal, the seal that was made last, and for which Action. */
  stashOf: `${prefix}stash-of`,
  stashAccount: `${prefix}stash-account`,
  stashSeal: `${prefix}stash-seal`,
  stashMade: `${prefix}stash-made`,
  stashMadeFor: `${prefix}stash-made-for`,
  currentStorageClass: `${prefix}current-storage-class-name`,
  reclaimPolicy: `${prefix}reclaimPolicy`,
  /** Ours: the pair over which the object came. */
  migrationPair: `${prefix}migration-pair`,
  /** Ours: the object's uid on the cluster it came from. */
  sourceUid: `${prefix}source-uid`,
  /** Ours: the workload is stopped while its volumes are copied; what it was, and for which operation (quiesce/rest.ts). */
  quiesced: `${prefix}quiesced`,
  /** Ours, only on the way: the uid that the object has on the cluster it goes to, as recorded when it came from there. */
  originUid: `${prefix}origin-uid`,
} as const;

/** The annotation that keeps what a suspended field was: Stork's `<path>` = "old,suspendValue". */
export const suspendAnnotation = (path: readonly string[]): string => `${prefix}${path.join('.')}`;

/** Field managers on the destination. */
export const fieldManagers = { resources: 'stork', activation: 'stork-activation' } as const;
