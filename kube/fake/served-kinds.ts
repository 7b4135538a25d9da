/** The kinds the fake serves, with what the real server's registry says of each. Custom kinds come by `register(crd)`. */
import type { AnyResource, ServedResource } from '../client/client.ts';
import { core } from '../client/core.ts';
import type { CheckRules, DefinitionSpec } from './custom-resource-definition.ts';
import { fieldsOf, itemsOf } from './json-value.ts';
import { builtInShape, customShape, type Shape } from './shape.ts';

export interface ServedKind {
  readonly resource: ServedResource;
  readonly shape: Shape;
  /** Whether `/status` is a subresource: then only it writes status, and the main resource can't. */
  readonly status: 'Subresource' | 'Plain';
  /** Whether spec changes are counted in metadata.generation. */
  readonly generation: 'Counted' | 'Absent';
  /** For custom kinds; built-in ones are taken as they come. */
  readonly schema: unknown;
  /** Beyond the schema; asked only of objects that fit it. */
  readonly rules: CheckRules | undefined;
  readonly origin: 'BuiltIn' | 'Custom';
  /** Besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

const withStatus: ReadonlySet<string> = new Set([
  ...['Namespace', 'Node', 'Pod', 'Service', 'PersistentVolume', 'PersistentVolumeClaim', 'ResourceQuota'],
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'HorizontalPodAutoscaler'],
  ...['PodDisruptionBudget', 'Ingress', 'VolumeAttachment', 'CustomResourceDefinition', 'VolumeSnapshot'],
  'VolumeSnapshotContent',
]);

const withGeneration: ReadonlySet<string> = new Set([
  ...['Pod', 'Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'PodDisruptionBudget'],
  ...['Ingress', 'NetworkPolicy', 'EndpointSlice', 'CustomResourceDefinition', 'PriorityClass'],
  ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  ...['VolumeSnapshot', 'VolumeSnapshotContent', 'VolumeSnapshotClass'],
]);

const selectable: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    ...['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName'],
    ...['status.phase', 'status.podIP'],
  ],
  Service: ['spec.clusterIP', 'spec.type'],
  Node: ['spec.unschedulable'],
  Namespace: ['status.phase'],
  Secret: ['type'],
  Job: ['status.successful'],
  Event: [
    ...['involvedObject.kind', 'involvedObject.namespace', 'involvedObject.name', 'involvedObject.uid'],
    ...['reason', 'reportingComponent', 'source', 'type'],
  ],
};

/** Kinds that are questions: created, answered, never stored. */
export const answeredKinds: ReadonlySet<string> = new Set([
  'TokenReview',
  'SubjectAccessReview',
  'SelfSubjectAccessReview',
]);

const snapshotGroup = 'snapshot.storage.k8s.io';

export function builtInKinds(): readonly ServedKind[] {
  return Object.values<AnyResource>(core).map(({ group, version, plural, kind, namespaced }) => ({
    resource: {
      ...{ group, version, plural, kind, namespaced },
      verbs: answeredKinds.has(kind) ? ['create'] : allVerbs,
      categories: [],
      preferred: true,
    },
    shape: builtInShape(),
    status: withStatus.has(kind) ? 'Subresource' : 'Plain',
    generation: withGeneration.has(kind) ? 'Counted' : 'Absent',
    schema: undefined,
    rules: undefined,
    origin: group === snapshotGroup ? 'Custom' : 'BuiltIn',
    selectableFields: selectable[kind] ?? [],
  }));
}

/** One entry per served version. @throws TypeError when the CRD has no versions */
export function customKinds(spec: DefinitionSpec, rules?: CheckRules): readonly ServedKind[] {
  const { group, names, scope, versions } = spec;
  if (versions.length === 0) throw new TypeError(`CRD ${names.plural}.${group} has no versions`);
  const served = versions.filter((version) => version.served);
  return served.map((version) => ({
    resource: {
      group,
      version: version.name,
      plural: names.plural,
      kind: names.kind,
      namespaced: scope === 'Namespaced',
      verbs: allVerbs,
      categories: itemsOf(names.categories).map(String),
      preferred: version === served[0],
    },
    shape: customShape(version.schema?.openAPIV3Schema),
    status: version.subresources?.status === undefined ? 'Plain' : 'Subresource',
    generation: 'Counted',
    schema: version.schema?.openAPIV3Schema,
    rules,
    origin: 'Custom',
    selectableFields: itemsOf(version.selectableFields).map((field) =>
      String(fieldsOf(field).jsonPath).replace(/^\./, ''),
    ),
  }));
}

/** All versions of a kind share one collection. */
export const collectionOf = (kind: ServedKind): string => `${kind.resource.group}/${kind.resource.plural}`;
