/**
 * The two clusters share a machine, and nothing else: from A's nodes and pods nothing of B answers but the pair link's
 * port, A's mount namespaces don't hold B's volumes, and what a migration moves is counted on the link itself.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Cluster, run } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { countLinkBytes } from '../testbed/link.ts';
import { findPlaces, thisBed } from '../testbed/places.ts';
import { type ClusterPlan, pairLinkPort } from '../testbed/plan.ts';
import { agentNamespace, type Bed, bed, migration, removeNamespaces } from './bed.ts';
import { claimName, deployFiller, fillerDigest, leftoversOf } from './filler.ts';
import { bedVolumes, holderPid, nodePath, podsOf, processesOf } from './node-access.ts';
import { claimPath } from './volume-pages.ts';

const namespace = 'isolation';
const megabytes = 40;
const otherNodePort = 30444;

describe('only the pair link joins the clusters', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeNamespaces(clusters, namespace);
    await deployFiller(clusters.a, namespace, { megabytes });
  });
  after(async () => {
    const remove = ['-n', agentNamespace, 'delete', 'service', 'other', '--ignore-not-found'];
    await Promise.all([clusters.a, clusters.b].map((side) => side.kubectl(remove)));
    await removeNamespaces(clusters, namespace);
  });

  it('a migration works, and its bytes cross the link', async () => {
    const from = await countLinkBytes();
    expectSuccess(
      await clusters.a.stork(['migrate', namespace, '--to', 'b', '--name', 'isolated'], { timeoutMs: 120_000 }),
    );
    const crossed = (await countLinkBytes()).aToB - from.aToB;
    console.log(`${megabytes} MiB of random bytes: ${crossed} bytes crossed the link from a to b`);
    assert.ok(crossed >= megabytes * 1024 * 1024, `only ${crossed} bytes crossed the link`);
    assert.equal(await fillerDigest(clusters.b, namespace), await fillerDigest(clusters.a, namespace));
    const { metadata } = await migration(clusters.a, namespace, 'isolated');
    assert.deepEqual(await leftoversOf(clusters, metadata.uid), []);
  });

  it('from each side’s nodes and agent only port 30443 of the other side’s nodes answers', async () => {
    for (const side of [clusters.a, clusters.b]) await openNodePort(side);
    const bothWays = [
      [clusters.a, clusters.b],
      [clusters.b, clusters.a],
    ] as const;
    for (const [from, to] of bothWays) {
      const targets = await targetsOf(to);
      assert.ok(targets.length > 10);
      for (const pid of await viewpoints(from)) {
        const answered = await connectable(pid, targets);
        const expected = planOf(to).nodes.map(({ address }) => `${address}:${pairLinkPort}`);
        assert.deepEqual(answered.toSorted(), expected.toSorted());
      }
      // The proof that those targets are there at all: the cluster's own nodes reach them.
      const own = await connectable(await holderPid(planOf(to).nodes[0]?.name ?? ''), targets);
      assert.deepEqual(
        targets.filter((target) => !own.includes(target)),
        [],
      );
    }
  });

  it('no process of one side sees the other side’s volumes, nor the test bed’s state', async () => {
    const there = await claimPath(clusters.b, namespace, claimName);
    const folder = there.slice(there.lastIndexOf('/') + 1);
    for (const { name } of thisBed().a.nodes) {
      const volumes = await readdir(await nodePath(name, join(bedVolumes(), 'volumes')));
      assert.ok(!volumes.includes(folder), `${name} has ${folder}`);
      // What the node sees of the state folder is empty: the other nodes' disks lie there.
      assert.deepEqual(await readdir(await nodePath(name, findPlaces().state)), []);
    }
    for (const pid of await viewpoints(clusters.a)) {
      const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
      for (const { name } of thisBed().b.nodes) assert.ok(!mounts.includes(name), `${pid} mounts something of ${name}`);
    }
  });
});

const planOf = (side: Cluster): ClusterPlan => (side.context === 'a' ? thisBed().a : thisBed().b);

/** Processes to look from: each node, and the agent in its pod. */
async function viewpoints(side: Cluster): Promise<readonly number[]> {
  const nodes = await Promise.all(planOf(side).nodes.map(({ name }) => holderPid(name)));
  const [agent] = await podsOf(side, 'app.kubernetes.io/name=stork-agent');
  assert.ok(agent !== undefined, `no agent on ${side.context}`);
  const [agentPid] = await processesOf(agent);
  assert.ok(agentPid !== undefined, `no process of the agent on ${side.context}`);
  return [...nodes, agentPid];
}

/** A NodePort of somebody else, which listens on every node of the side. */
async function openNodePort(side: Cluster): Promise<void> {
  await side.apply(`apiVersion: v1
kind: Service
metadata: { name: other, namespace: ${agentNamespace} }
spec:
  type: NodePort
  selector: { app.kubernetes.io/name: stork-agent }
  ports: [{ port: 8080, nodePort: ${otherNodePort} }]
`);
}

/** API server, kubelets, NodePorts, the agent's and the claim's user's pods: everything that listens on a side. */
async function targetsOf(side: Cluster): Promise<readonly string[]> {
  const plan = planOf(side);
  const [agent] = await podsOf(side, 'app.kubernetes.io/name=stork-agent');
  const service = await side.get<{ spec: { clusterIP: string } }>(['service', 'stork-agent', '-n', agentNamespace]);
  const ports = [pairLinkPort, otherNodePort, 10250, 10256];
  return [
    `${plan.hostAddress}:${plan.apiServerPort}`,
    ...plan.nodes.flatMap(({ address }) => ports.map((port) => `${address}:${port}`)),
    ...[8080, 8443, 9443].map((port) => `${agent?.status.podIP}:${port}`),
    `${service.spec.clusterIP}:9443`,
  ];
}

/** Which of the addresses accept a connection from the process's network namespace. */
async function connectable(pid: number, targets: readonly string[]): Promise<readonly string[]> {
  const script = `const { connect } = require('node:net');
    for (const target of process.argv.slice(1)) {
      const [host, port] = target.split(':');
      const socket = connect({ host, port: Number(port), timeout: 2000 });
      socket.on('connect', () => { console.log(target); socket.destroy(); });
      for (const event of ['timeout', 'error']) socket.on(event, () => socket.destroy());
    }`;
  const args = [`--net=/proc/${pid}/ns/net`, process.execPath, '-e', script, '--', ...targets];
  const { stdout } = expectSuccess(await run('nsenter', args, { timeoutMs: 30_000 }));
  return stdout.trim().split('\n').filter(Boolean);
}
