/**
 * What an idle agent costs: its memory, and its requests as the API server's audit log has them, on one real kube-apiserver.
 * `node test/bench/idle.bench.ts [--pods N] [--claims N] [--seconds N] [--program FILE] [--json]`; needs root and the ports
 * 8080, 8443, 9443 and 9444. Numbers only.
 */
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { anyOf } from '../../agent/resources/testing/sample-objects.ts';
import type { AnyObject, KubeClient, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { startApiServer } from '../testbed/apiserver.ts';
import { countRequests } from './count-requests.ts';
import { agentPod, agentUser, installWithoutPods, issueToken, runAgent } from './idle-agent.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    pods: { type: 'string', default: '5000' },
    claims: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '60' },
    settle: { type: 'string', default: '45' },
    program: { type: 'string', default: 'dist/stork-agent-linux-x64' },
  },
});
const readText = (path: string) => readFile(path, 'utf8');
const namespaces = Array.from({ length: 20 }, (_, index) => `team-${index}`);
const home = (index: number) => namespaces[index % namespaces.length] ?? '';

function aPod(index: number): AnyObject {
  const env = Array.from({ length: 20 }, (_, key) => ({ name: `SETTING_${key}`, value: `value ${index} `.repeat(4) }));
  const container = (name: string) => ({
    ...{ name, image: `registry.example.com/team/${name}@sha256:${'0123456789abcdef'.repeat(4)}`, env },
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${index}`,
      namespace: home(index),
      labels: { app: `web-${index % 100}`, 'pod-template-hash': '5d4f8c7b9' },
      annotations: { 'example.com/notes': 'a line of what tools write into pods '.repeat(20) },
    },
    spec: {
      ...{ nodeName: `node-${index % 50}`, containers: [container('web'), container('sidecar')] },
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: `data-${index % Number(values.claims)}` } }],
    },
  };
}

function aClaim(index: number): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: `data-${index}`, namespace: home(index), labels: { app: `web-${index % 100}` } },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '10Gi' } },
      ...{ storageClassName: 'fast', volumeName: `pv-${index}` },
    },
  };
}

function aVolume(index: number): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `pv-${index}` },
    spec: {
      ...{ capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'fast' },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: `data-${index}`, namespace: home(index) },
      csi: { driver: 'csi.example.com', volumeHandle: `volume-${index}`, fsType: 'ext4' },
    },
  };
}

async function fill(client: KubeClient): Promise<void> {
  const many = (resource: Resource, count: number, make: (index: number) => AnyObject) =>
    mapLimit(
      Array.from({ length: count }, (_, index) => make(index)),
      16,
      (object) => client.create(resource, object),
    );
  await many(anyOf(core.namespaces), namespaces.length, (index) => ({
    ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: home(index) } },
  }));
  // No controller runs here that would make them, and pods are refused without.
  await many(anyOf(core.serviceAccounts), namespaces.length, (index) => ({
    ...{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: home(index) } },
  }));
  await many(anyOf(core.persistentVolumes), Number(values.claims), aVolume);
  await many(anyOf(core.persistentVolumeClaims), Number(values.claims), aClaim);
  await many(anyOf(core.pods), Number(values.pods), aPod);
}

await using server = await startApiServer({ auditedUsers: [agentUser] });
const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path: server.kubeconfigPath });
const client = createKubeClient({
  ...{ config, env: {}, clock: systemClock(), random: Math.random, readText, terminal: 'Absent' },
});
try {
  await fill(client);
  await installWithoutPods(client);
  await client.create(anyOf(core.pods), agentPod);
  await using agent = await runAgent(values.program, server, await issueToken(client));
  await agent.leads;
  await sleep(Number(values.settle) * 1000);
  const from = new Date();
  await sleep(Number(values.seconds) * 1000);
  const to = new Date();
  const memory = await agent.memory();
  const requests = countRequests(await readText(server.auditLog), { user: agentUser, from, to });
  const start = countRequests(await readText(server.auditLog), { user: agentUser, from: new Date(0), to: from });
  const facts = {
    pods: Number(values.pods),
    claims: Number(values.claims),
    rssMB: Math.round(memory.rssMB),
    rssLimitMB: 150,
    peakMB: Math.round(memory.peakMB),
    seconds: Number(values.seconds),
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
  };
  if (values.json === true) process.stdout.write(`${JSON.stringify({ ...facts, requests, start })}\n`);
  else {
    for (const [name, value] of Object.entries(facts)) process.stdout.write(`${name.padEnd(16)} ${value}\n`);
    console.table(requests);
    process.stdout.write('until it was idle:\n');
    console.table(start);
  }
} finally {
  client.close();
}
