/**
 * Fields that Kubernetes never changes on an object that exists, by kind, and what a person can do about it: the API server
 * often names only the object, or its whole spec. Values are not told, they may be secret. Pure.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { at, covers } from '../fields.ts';
import { type GroupKind, groupKindOf, refOf, textOfRef } from '../resource-ref.ts';

interface Immutable {
  readonly fields: readonly string[];
  /** After "delete it on the destination". */
  readonly how?: string;
  /** Only while the live object says so. */
  readonly when?: (live: AnyObject) => boolean;
}

const isSealed = (live: AnyObject): boolean => live.immutable === true;
const selector: Immutable = { fields: ['spec.selector'], how: ' (with --cascade=orphan its pods stay)' };
const roleRef: Immutable = { fields: ['roleRef'] };
const sealed: Immutable = { fields: ['data', 'binaryData', 'stringData', 'immutable'], when: isSealed };

const immutables: Readonly<Record<GroupKind, readonly Immutable[]>> = {
  '/ConfigMap': [sealed],
  '/PersistentVolumeClaim': [
    { fields: ['spec.accessModes', 'spec.storageClassName', 'spec.volumeMode', 'spec.volumeName'] },
  ],
  '/Secret': [{ fields: ['type'] }, sealed],
  '/Service': [{ fields: ['spec.clusterIP', 'spec.clusterIPs'], how: ', or migrate without skipServiceUpdate' }],
  'apps/DaemonSet': [selector],
  'apps/Deployment': [selector],
  'apps/ReplicaSet': [selector],
  'apps/StatefulSet': [
    {
      fields: ['spec.selector', 'spec.serviceName', 'spec.podManagementPolicy', 'spec.volumeClaimTemplates'],
      how: ' (with --cascade=orphan its pods stay; its claims stay anyway)',
    },
  ],
  'batch/Job': [{ fields: ['spec.selector', 'spec.template', 'spec.completionMode'] }],
  'rbac.authorization.k8s.io/ClusterRoleBinding': [roleRef],
  'rbac.authorization.k8s.io/RoleBinding': [roleRef],
  'scheduling.k8s.io/PriorityClass': [{ fields: ['value', 'preemptionPolicy'] }],
  'storage.k8s.io/StorageClass': [{ fields: ['provisioner', 'parameters', 'reclaimPolicy', 'volumeBindingMode'] }],
};

/** Why the live object can't become the incoming one; `undefined`: nothing of this kind is in the way. */
export function whyImmutable(incoming: AnyObject, live: AnyObject): string | undefined {
  for (const { fields, how = '', when } of immutables[groupKindOf(incoming)] ?? []) {
    if (when?.(live) === false) continue;
    const changed = fields.filter((field) => {
      const wanted = at(incoming, field.split('.'));
      return wanted !== undefined && !covers(at(live, field.split('.')), wanted);
    });
    if (changed.length === 0) continue;
    const what = `${changed.join(', ')} can't be changed on an object that exists, and it is never deleted to change that`;
    return `${what}: delete ${textOfRef(refOf(live))} on the destination${how}, then migrate again`;
  }
  return undefined;
}
