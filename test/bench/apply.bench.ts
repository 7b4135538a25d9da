/**
 * The destination's apply against bare server-side apply of the same objects, on one real kube-apiserver in one run.
 * `node test/bench/apply.bench.ts [--json] [--objects N] [--parallel N]`: 70 % ConfigMaps, 20 % Secrets, 10 % Deployments. Numbers only.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { applyLimits, applyObjects, identityOfServiceAccount } from '../../agent/resources/apply/apply-objects.ts';
import { fieldManagers } from '../../agent/resources/names.ts';
import { orderObjects } from '../../agent/resources/order-objects.ts';
import { anyOf, deployment } from '../../agent/resources/testing/sample-objects.ts';
import { transformObject } from '../../agent/resources/transform/transform-object.ts';
import type { AnyObject, KubeClient, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { startApiServer } from '../testbed/apiserver.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    objects: { type: 'string', default: '10000' },
    parallel: { type: 'string', default: String(applyLimits.parallelObjects) },
  },
});
const count = Number(values.objects);
const parallelObjects = Number(values.parallel);
/** As the source sends them: messages.ts. */
const messageObjects = 500;
const clock = systemClock();
const readText = (path: string) => readFile(path, 'utf8');

const resources: Readonly<Record<string, Resource>> = {
  ConfigMap: anyOf(core.configMaps),
  Secret: anyOf(core.secrets),
  Deployment: anyOf(core.deployments),
};

const encoded = (data: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]));

function anObject(namespace: string, index: number): AnyObject {
  const metadata = { name: `object-${index}`, namespace, labels: { app: `app-${index % 100}` }, uid: `uid-${index}` };
  if (index % 10 === 0)
    return { ...deployment(namespace, { replicas: 2, env: [{ name: 'A', value: 'b' }] }), metadata };
  const data = Object.fromEntries(
    Array.from({ length: 8 }, (_, key) => [`key-${key}`, `value ${index} ${key}`.repeat(6)]),
  );
  if (index % 10 > 7) return { apiVersion: 'v1', kind: 'Secret', metadata, data: encoded(data) };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}

function objectsOf(namespace: string): readonly AnyObject[] {
  const context = { pairId: 'bench', namespaces: [namespace], serviceAddresses: 'Clear', registrations: [] } as const;
  return Array.from({ length: count }, (_, index) => transformObject(anObject(namespace, index), context));
}

async function bare(client: KubeClient, objects: readonly AnyObject[]): Promise<void> {
  const options = { fieldManager: fieldManagers.resources };
  await mapLimit(objects, parallelObjects, async (object) => {
    await client.apply(resources[object.kind] ?? anyOf(core.configMaps), object, options);
  });
}

async function ours(client: KubeClient, objects: readonly AnyObject[]): Promise<void> {
  const migration = { namespace: 'bench', name: 'm', time: clock.now().toISOString() };
  const grant = { namespaces: ['*'], clusterScopedKinds: [] };
  const identity = identityOfServiceAccount('stork-system/stork-peer');
  const parts = { client, clock, identity, limits: { ...applyLimits, parallelObjects } };
  for (const wave of orderObjects(objects)) {
    for (let at = 0; at < wave.length; at += messageObjects) {
      const request = { objects: wave.slice(at, at + messageObjects), pairId: 'bench', migration, grant };
      const odd = (await applyObjects(parts, request)).find(({ result }) => !['Created', 'Unchanged'].includes(result));
      if (odd !== undefined) throw new Error(`${odd.ref.kind} ${odd.ref.name}: ${odd.result} ${odd.reason}`);
    }
  }
}

async function seconds(run: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

const server = await startApiServer();
const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path: server.kubeconfigPath });
const client = createKubeClient({ config, env: {}, clock, random: Math.random, readText, terminal: 'Absent' });
try {
  await client.create(core.clusterRoleBindings, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'peer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', namespace: 'stork-system', name: 'stork-peer' }],
  });
  for (const name of ['warm', 'bare', 'ours'])
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await bare(client, objectsOf('warm').slice(0, 500));
  const bareSeconds = await seconds(() => bare(client, objectsOf('bare')));
  const ourSeconds = await seconds(() => ours(client, objectsOf('ours')));
  const againSeconds = await seconds(() => ours(client, objectsOf('ours')));
  const facts = {
    objects: count,
    parallelObjects,
    bareSeconds,
    ourSeconds,
    ratio: bareSeconds / ourSeconds,
    againSeconds,
    againRatio: bareSeconds / againSeconds,
  };
  const rounded = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, Number(value.toFixed(2))]));
  if (values.json === true) process.stdout.write(`${JSON.stringify(rounded)}\n`);
  else for (const [name, value] of Object.entries(rounded)) process.stdout.write(`${name.padEnd(16)} ${value}\n`);
} finally {
  client.close();
  await server.stop();
}
