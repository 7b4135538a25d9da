/**
 * The destination's apply against bare server-side apply of the same objects, on one real kube-apiserver in one run.
 * `node test/bench/apply.bench.ts [--json] [--objects N] [--parallel N]`: 70 % ConfigMaps, 20 % Secrets, 10 % Deployments. Numbers only.
 * Both take turns, message by message, so that other load and the growing store meet both alike.
 */
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { applyLimits, applyObjects, identityOfServiceAccount } from '../../agent/resources/apply/apply-objects.ts';
import { fieldManagers } from '../../agent/resources/names.ts';
import { orderObjects } from '../../agent/resources/order-objects.ts';
import { anyOf } from '../../agent/resources/testing/sample-objects.ts';
import { transformObject } from '../../agent/resources/transform/transform-object.ts';
import type { AnyObject, KubeClient, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { startApiServer } from '../testbed/apiserver.ts';
import { benchObject } from './bench-objects.ts';
import { childCpuSeconds } from './child-cpu.ts';

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

function transformed(object: AnyObject): AnyObject {
  const namespaces = [object.metadata.namespace ?? ''];
  return transformObject(object, { pairId: 'bench', namespaces, serviceAddresses: 'Clear', registrations: [] });
}

/** The messages of one migration, in the order of their waves. */
function* messagesOf(namespace: string, objectCount: number): Generator<readonly AnyObject[]> {
  const objects = Array.from({ length: objectCount }, (_, index) => transformed(benchObject(namespace, index)));
  for (const wave of orderObjects(objects))
    for (let at = 0; at < wave.length; at += messageObjects) yield wave.slice(at, at + messageObjects);
}

const inNamespace = (namespace: string) => (object: AnyObject) => ({
  ...object,
  metadata: { ...object.metadata, namespace },
});

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
  const odd = (await applyObjects(parts, { objects, pairId: 'bench', migration, grant })).find(
    ({ result }) => !['Created', 'Unchanged'].includes(result),
  );
  if (odd !== undefined) throw new Error(`${odd.ref.kind} ${odd.ref.name}: ${odd.result} ${odd.reason}`);
}

interface Spent {
  seconds: number;
  clientCpu: number;
  serverCpu: number;
}

async function spend(spent: Spent, run: () => Promise<void>): Promise<void> {
  const start = performance.now();
  const [client, servers] = [process.cpuUsage(), await childCpuSeconds()];
  await run();
  const { user, system } = process.cpuUsage(client);
  spent.seconds += (performance.now() - start) / 1000;
  spent.clientCpu += (user + system) / 1_000_000;
  spent.serverCpu += (await childCpuSeconds()) - servers;
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
  for (const message of messagesOf('warm', 500)) {
    await bare(client, message);
    await ours(
      client,
      message.map((object) => ({
        ...object,
        metadata: { ...object.metadata, name: `second-${object.metadata.name}` },
      })),
    );
  }
  const nothing = (): Spent => ({ seconds: 0, clientCpu: 0, serverCpu: 0 });
  const [barely, first, again] = [nothing(), nothing(), nothing()];
  let turn = 0;
  for (const message of messagesOf('ours', count)) {
    const plain = () => spend(barely, () => bare(client, message.map(inNamespace('bare'))));
    const full = () => spend(first, () => ours(client, message));
    for (const run of turn % 2 === 0 ? [plain, full] : [full, plain]) await run();
    turn += 1;
  }
  for (const message of messagesOf('ours', count)) await spend(again, () => ours(client, message));
  const cpu = (spent: Spent) => spent.clientCpu + spent.serverCpu;
  const facts = {
    objects: count,
    parallelObjects,
    bareSeconds: barely.seconds,
    ourSeconds: first.seconds,
    ratio: barely.seconds / first.seconds,
    cpuRatio: cpu(barely) / cpu(first),
    bareClientCpu: barely.clientCpu,
    bareServerCpu: barely.serverCpu,
    ourClientCpu: first.clientCpu,
    ourServerCpu: first.serverCpu,
    againSeconds: again.seconds,
    againRatio: barely.seconds / again.seconds,
    peakRssMB: process.resourceUsage().maxRSS / 1024,
    load: loadavg()[0] ?? 0,
  };
  const rounded = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, Number(value.toFixed(2))]));
  if (values.json === true) process.stdout.write(`${JSON.stringify(rounded)}\n`);
  else for (const [name, value] of Object.entries(rounded)) process.stdout.write(`${name.padEnd(16)} ${value}\n`);
} finally {
  client.close();
  await server.stop();
}
