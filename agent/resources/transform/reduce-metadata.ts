/**
 * Metadata as it may travel: name, namespace, labels and annotations (so finalizers, uid, owners and managed fields stay
 * behind), without what controllers of the source cluster wrote for themselves: kept, it would be owned by us on the
 * destination and fight with the controllers there. Rancher's marks of the source cluster are dropped, as in Stork.
 */
import type { AnyObject, ObjectMeta } from '../../../kube/client/client.ts';
import { setMeta } from '../fields.ts';
import { gitOpsMarks } from '../gitops.ts';
import { storkNames } from '../names.ts';

export function reduceMetadata(object: AnyObject): AnyObject {
  const { name, namespace, labels, annotations } = object.metadata;
  const reduced: ObjectMeta = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...optional('labels', keepOf(labels, isOfThisCluster)),
    ...optional('annotations', keepOf(annotations, isOfThisCluster)),
  };
  return setMeta(object, reduced);
}

const controllersAnnotations: ReadonlySet<string> = new Set([
  'control-plane.alpha.kubernetes.io/leader',
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'deployment.kubernetes.io/revision',
  'deployment.kubernetes.io/revision-history',
  'deprecated.daemonset.template.generation',
  'endpoints.kubernetes.io/last-change-trigger-time',
  'kubernetes.io/metadata.name',
  'kubernetes.io/service-account.uid',
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'pv.kubernetes.io/migrated-to',
  'pv.kubernetes.io/provisioned-by',
  'volume.beta.kubernetes.io/storage-provisioner',
  'volume.kubernetes.io/provisioner-deletion-secret-name',
  'volume.kubernetes.io/provisioner-deletion-secret-namespace',
  'volume.kubernetes.io/selected-node',
  'volume.kubernetes.io/storage-provisioner',
  'volume.kubernetes.io/storage-resizer',
  // Of the migration that brought the object here: the one that takes it on writes its own.
  storkNames.migrationName,
  storkNames.migrationNamespace,
  storkNames.migrationPair,
  storkNames.migrationRequester,
  storkNames.migrationTime,
  storkNames.originUid,
  storkNames.resourceHash,
  storkNames.sourceUid,
  storkNames.transformation,
]);

const isOfThisCluster = (name: string): boolean =>
  controllersAnnotations.has(name) || gitOpsMarks.has(name) || /^(?:[\w.-]+\.)?cattle\.io\//.test(name);

function keepOf(
  entries: Readonly<Record<string, string>> | undefined,
  isDropped: (name: string) => boolean,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(entries ?? {}).filter(([name]) => !isDropped(name)));
}

const optional = <Name extends 'labels' | 'annotations'>(name: Name, entries: Readonly<Record<string, string>>) =>
  Object.keys(entries).length === 0 ? {} : { [name]: entries };
