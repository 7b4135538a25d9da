/** Objects for tests of resources, with full defaults. */
import type { AnyObject, Resource } from '../../../kube/client/client.ts';

export function anyOf(resource: {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}): Resource {
  const { group, version, plural, kind, namespaced } = resource;
  return { group, version, plural, kind, namespaced };
}

export function deployment(
  namespace: string,
  fields: {
    readonly replicas?: number;
    readonly image?: string;
    readonly env?: readonly unknown[];
    readonly app?: string;
  },
): AnyObject {
  const { replicas = 1, image = 'web:1', env = [], app = 'web' } = fields;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace, labels: { app: 'web' } },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: { metadata: { labels: { app } }, spec: { containers: [{ name: 'web', image, env }] } },
    },
  };
}

export function configMap(
  namespace: string,
  fields: Readonly<Record<string, string>> = { key: 'ours' },
  uid?: string,
): AnyObject {
  const metadata = { name: 'settings', namespace, ...(uid === undefined ? {} : { uid }) };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: fields };
}

export function cronJob(namespace: string, fields: { readonly suspend?: boolean }): AnyObject {
  const pod = { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'report', namespace },
    spec: {
      schedule: '0 4 * * *',
      suspend: fields.suspend ?? false,
      jobTemplate: { spec: { template: { spec: pod } } },
    },
  };
}

/** A kind whose objects take any field. */
export function queueDefinition(group: string): AnyObject {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `queues.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'queues', singular: 'queue', kind: 'Queue', listKind: 'QueueList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

/** One of each kind that has fields which never change. */
export function fixedObjects(namespace: string): readonly AnyObject[] {
  const labels = { app: 'fixed' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a:1' }] } };
  const selector = { matchLabels: labels };
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const metadata = { name: 'fixed', namespace };
  const rbac = 'rbac.authorization.k8s.io';
  return [
    {
      ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata },
      spec: { serviceName: 's', selector, template, volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: claim }] },
    },
    { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: { selector, template } },
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata, spec: { selector, template } },
    { ...deployment(namespace, {}), metadata },
    {
      ...{ apiVersion: 'batch/v1', kind: 'Job', metadata },
      spec: { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: 'None', selector: labels, ports: [{ port: 80 }] },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: { a: 'Yg==' }, immutable: true },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'b' }, immutable: true },
    {
      ...{ apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', name: 'a', namespace }],
    },
  ];
}
