/**
 * What agents need while they work: their memory on both sides, on the two clusters of the test bed with the built artifacts,
 * while 10,000 objects migrate, while they do so again without a change, and while a volume passes.
 * `node test/bench/agent.bench.ts [--objects N] [--megabytes N] [--json]`; needs root, and `npm run build` before. Numbers only.
 */
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { anyOf } from '../../agent/resources/testing/sample-objects.ts';
import type { KubeClient, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import type { Cluster } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { type Bed, bed, removeNamespaces, testbed } from '../e2e/bed.ts';
import { deployFiller } from '../e2e/filler.ts';
import { podsOf, processesOf } from '../e2e/node-access.ts';
import { benchObject } from './bench-objects.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    objects: { type: 'string', default: '10000' },
    megabytes: { type: 'string', default: '900' },
  },
});
const [objects, megabytes] = [Number(values.objects), Number(values.megabytes)];
const [objectsHome, volumeHome] = ['bench-objects', 'bench-volume'];
const sampleMs = 200;
const limitMs = 1_800_000;

const resources: Readonly<Record<string, Resource>> = {
  ConfigMap: anyOf(core.configMaps),
  Secret: anyOf(core.secrets),
  Deployment: anyOf(core.deployments),
};

async function fill(): Promise<void> {
  const path = (await testbed('kubeconfig')).trim();
  const readText = (file: string) => readFile(file, 'utf8');
  const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path, context: 'a' });
  const client = createKubeClient({
    ...{ config, env: {}, clock: systemClock(), random: Math.random, readText, terminal: 'Absent' },
  });
  try {
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: objectsHome } });
    await mapLimit(
      Array.from({ length: objects }, (_, index) => index),
      8,
      (index) => put(client, index),
    );
  } finally {
    client.close();
  }
}

/** Workloads without replicas: pods would be the scheduler's work, not ours. */
async function put(client: KubeClient, index: number): Promise<void> {
  const { metadata, ...object } = benchObject(objectsHome, index);
  const { uid: _, ...named } = metadata;
  const spec = object.kind === 'Deployment' ? { spec: { ...Object(object.spec), replicas: 0 } } : {};
  try {
    await client.create(resources[object.kind] ?? anyOf(core.configMaps), { ...object, ...spec, metadata: named });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/** Of all replicas: only one leads, and any may relay. */
async function agentPids(side: Cluster): Promise<readonly number[]> {
  const pods = await podsOf(side, 'app.kubernetes.io/name=stork-agent');
  return (await Promise.all(pods.map(processesOf))).flat();
}

/** Resident memory of the largest of these processes. */
async function residentMB(pids: readonly number[]): Promise<number> {
  const all = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
    }),
  );
  return Math.max(0, ...all);
}

interface Phase {
  readonly phase: string;
  readonly seconds: number;
  readonly sourceAgentMB: number;
  readonly destinationAgentMB: number;
  readonly load: number;
}

/** Migrates, and looks at both agents all the while. */
async function watchMigration({ a, b }: Bed, phase: string, namespace: string): Promise<Phase> {
  const pids = [await agentPids(a), await agentPids(b)] as const;
  const peaks = [0, 0];
  let running = true;
  const sampling = (async () => {
    while (running) {
      for (const [at, some] of pids.entries()) peaks[at] = Math.max(peaks[at] ?? 0, await residentMB(some));
      await sleep(sampleMs);
    }
  })();
  const startMs = performance.now();
  try {
    expectSuccess(await a.stork(['migrate', namespace, '--to', 'b'], { timeoutMs: limitMs }));
  } finally {
    running = false;
    await sampling;
  }
  return {
    phase,
    seconds: Math.round((performance.now() - startMs) / 100) / 10,
    sourceAgentMB: Math.round(peaks[0] ?? 0),
    destinationAgentMB: Math.round(peaks[1] ?? 0),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

const clusters = await bed(['toolbox']);
await removeNamespaces(clusters, objectsHome, volumeHome);
try {
  await fill();
  const phases = [
    await watchMigration(clusters, `${objects} objects`, objectsHome),
    await watchMigration(clusters, `${objects} objects again, unchanged`, objectsHome),
  ];
  await deployFiller(clusters.a, volumeHome, { megabytes });
  phases.push(await watchMigration(clusters, `a volume of ${megabytes} MB`, volumeHome));
  if (values.json === true) process.stdout.write(`${JSON.stringify({ agentLimitMB: 200, phases })}\n`);
  else console.table(phases);
} finally {
  await removeNamespaces(clusters, objectsHome, volumeHome);
}
