/**
 * In which order objects are made: waves, each of which may be applied in parallel once the one before is done. Pure.
 * Within a wave the order is stable (namespace, kind, name), so a repeated run reads alike.
 */
import type { AnyObject } from '../../kube/client/client.ts';
import { type GroupKind, groupKindOf } from './resource-ref.ts';

/** Owners before owned: a wave holds nothing that needs another of the same wave to exist first. */
export function orderObjects(objects: readonly AnyObject[]): readonly (readonly AnyObject[])[] {
  const waves = new Map<number, AnyObject[]>();
  for (const object of objects) {
    const number = waveOf(groupKindOf(object));
    const wave = waves.get(number);
    if (wave === undefined) waves.set(number, [object]);
    else wave.push(object);
  }
  return [...waves]
    .toSorted(([a], [b]) => a - b)
    .map(([, wave]) => wave.toSorted((a, b) => compare(sortKey(a), sortKey(b))));
}

const waveNames: readonly (readonly GroupKind[])[] = [
  ['apiextensions.k8s.io/CustomResourceDefinition'],
  ['/Namespace'],
  ['scheduling.k8s.io/PriorityClass', 'storage.k8s.io/StorageClass'],
  ['/PersistentVolume'],
  ['/PersistentVolumeClaim', '/ServiceAccount'],
  ['/ConfigMap', '/Secret', '/LimitRange', '/ResourceQuota', 'image.openshift.io/ImageStream'],
  ['rbac.authorization.k8s.io/Role', 'rbac.authorization.k8s.io/ClusterRole'],
  ['rbac.authorization.k8s.io/RoleBinding', 'rbac.authorization.k8s.io/ClusterRoleBinding'],
  ['/Service', '/Endpoints', 'template.openshift.io/Template'],
  [
    'apps/Deployment',
    'apps/StatefulSet',
    'apps/DaemonSet',
    'apps/ReplicaSet',
    'apps.openshift.io/DeploymentConfig',
    'batch/CronJob',
    'batch/Job',
  ],
];

/** Custom resources come after the workloads that reconcile them, before what lets traffic and policy in. */
const customWave = waveNames.length;
const lastWave = customWave + 1;

const lastKinds: ReadonlySet<GroupKind> = new Set([
  'networking.k8s.io/Ingress',
  'networking.k8s.io/NetworkPolicy',
  'policy/PodDisruptionBudget',
  'route.openshift.io/Route',
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
]);

function waveOf(kind: GroupKind): number {
  if (lastKinds.has(kind)) return lastWave;
  const number = waveNames.findIndex((kinds) => kinds.includes(kind));
  return number === -1 ? customWave : number;
}

const sortKey = ({ metadata, kind }: AnyObject): string => `${metadata.namespace ?? ''}\0${kind}\0${metadata.name}`;

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
