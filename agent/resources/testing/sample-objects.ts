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
