/** Objects of the application that tests migrate, and how they are put on a side and looked up there, whatever their kind. */
import type { AnyObject, Resource } from '../../../kube/client/client.ts';
import { splitApiVersion } from '../../resources/resource-ref.ts';
import type { Side } from './two-clusters.ts';

async function resourceOf(side: Side, { apiVersion, kind }: Pick<AnyObject, 'apiVersion' | 'kind'>): Promise<Resource> {
  const { group, version } = splitApiVersion(apiVersion);
  const served = await side.client.discover();
  const found = served.find((one) => one.group === group && one.version === version && one.kind === kind);
  if (found === undefined) throw new Error(`${side.name} does not serve ${apiVersion} ${kind}`);
  return found;
}

export async function put(side: Side, ...objects: readonly AnyObject[]): Promise<void> {
  for (const object of objects) await side.client.create(await resourceOf(side, object), object);
}

export async function look(side: Side, like: AnyObject): Promise<AnyObject | undefined> {
  const { namespace, name } = like.metadata;
  return await side.client.find(await resourceOf(side, like), { namespace, name });
}

export async function change(side: Side, like: AnyObject, body: Readonly<Record<string, unknown>>): Promise<void> {
  const { namespace, name } = like.metadata;
  await side.client.patch(await resourceOf(side, like), { namespace, name }, { type: 'merge', body });
}

export async function drop(side: Side, ...objects: readonly AnyObject[]): Promise<void> {
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    await side.client.delete(await resourceOf(side, object), { namespace, name });
  }
}

type Metadata = Partial<AnyObject['metadata']>;

const inDb = (name: string, metadata: Metadata): AnyObject['metadata'] => ({ name, namespace: 'db', ...metadata });

const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: app, image: app }] },
});

export function aConfigMap(
  name: string,
  metadata: Metadata = {},
  data: Readonly<Record<string, string>> = { key: 'a' },
) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: inDb(name, metadata), data } satisfies AnyObject;
}

export function aStatefulSet(name: string, replicas = 3): AnyObject {
  const spec = { replicas, serviceName: name, selector: { matchLabels: { app: name } }, template: template(name) };
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: inDb(name, { labels: { app: name } }), spec };
}

export function aDeployment(name: string, replicas = 2): AnyObject {
  const spec = { replicas, selector: { matchLabels: { app: name } }, template: template(name) };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: inDb(name, { labels: { app: name } }), spec };
}

export function aJob(name: string): AnyObject {
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: inDb(name, {}), spec: { template: template(name) } };
}

export function aService(name: string, port = 80, spec: Readonly<Record<string, unknown>> = {}): AnyObject {
  const ports = [{ name: 'main', port, protocol: 'TCP' }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: inDb(name, {}),
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.1.2.3',
      clusterIPs: ['10.1.2.3'],
      ports,
      selector: { app: name },
      ...spec,
    },
  };
}

export const aServiceAccount = (name: string, fields: Readonly<Record<string, unknown>> = {}): AnyObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: inDb(name, {}),
  ...fields,
});

export const aNamespace = (name: string, labels: Readonly<Record<string, string>> = {}): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});
