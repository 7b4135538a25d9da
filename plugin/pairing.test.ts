import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rotateAnnotation } from '../crds/agent-names.ts';
import { type ClusterPair, type ClusterPairStatus, type Condition, clusterPairs } from '../crds/v1alpha1/index.ts';
import type { KubeClient } from '../kube/client/client.ts';
import { core } from '../kube/client/core.ts';
import { endpointsOfNodes, endpointsOfService } from '../kube/find-pair-endpoints.ts';
import { assertGolden, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const start = new Date('2026-11-21T06:30:00Z');
const code = 'stork1.eyJwYWlySWQiOiJ4In0.0a1b2c3d';
const namespace = 'stork-system';
const fingerprint = 'SHA256:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA';

type Agent = (client: KubeClient, pair: ClusterPair) => Promise<void>;

const condition = (type: string, status: 'True' | 'False', message = '', reason = type): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-11-21T06:30:00Z',
});

async function write(client: KubeClient, { metadata }: ClusterPair, status: ClusterPairStatus): Promise<void> {
  const key = { namespace: metadata.namespace, name: metadata.name };
  await client.patch(clusterPairs, key, { type: 'merge', body: { status } }, { subresource: 'status' });
}

/** What agent/pairing shows of a pair, in the order it comes. */
const inviting: Agent = async (client, pair) => {
  const metadata = { name: `stork-invite-${pair.metadata.name}`, namespace };
  await client.create(core.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    data: { code: Buffer.from(code).toString('base64') },
  });
  await write(client, pair, { schedulerStatus: 'Pending', conditions: [condition('Invited', 'True')] });
};
const joined = (ready: 'True' | 'False'): ClusterPairStatus => ({
  schedulerStatus: ready === 'True' ? 'Ready' : 'Pending',
  ownFingerprint: fingerprint,
  peer: { fingerprint, cluster: 'east' },
  conditions: [condition('Joined', 'True'), condition('Ready', ready, 'Waits for confirmation')],
});

/** Runs the line while playing the agents: each waits for its pair, then does its part. */
async function play(
  world: TerminalWorld,
  line: string,
  parts: readonly (readonly [context: 'east' | 'west', agent: Agent])[],
  stdin = '',
) {
  const running = world.run(line, { stdin });
  for (const [context, agent] of parts) {
    const client = world.servers[context].client();
    for (let tries = 0; tries < 50; tries += 1) {
      await world.settle();
      const { items } = await client.listPage(clusterPairs, { namespace });
      const pair = items[0];
      if (pair === undefined) continue;
      await agent(client, pair);
      break;
    }
    await world.clock.advance(600);
  }
  await world.clock.advance(600);
  return running;
}

async function pairWorld(): Promise<TerminalWorld> {
  const world = terminalWorld({ start });
  for (const server of Object.values(world.servers)) {
    const metadata = { name: 'stork-pair', namespace };
    server.seed(core.services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { ports: [{ port: 8443, nodePort: 30443 }] },
    });
    const status = { addresses: [{ type: 'InternalIP', address: '10.250.2.11' }] };
    server.seed(core.nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, status });
  }
  return world;
}

const becomesReady: Agent = (client, pair) => write(client, pair, joined('True'));
const becomesJoined: Agent = (client, pair) => write(client, pair, joined('False'));

describe('pair', () => {
  it('create pairs two contexts, confirmation included', async () => {
    const world = await pairWorld();
    const exit = await play(world, 'pair create east west --name remotecluster', [
      ['west', inviting],
      ['east', becomesJoined],
      ['west', becomesJoined],
      ['west', becomesReady],
      ['east', becomesReady],
    ]);
    assert.equal(exit, 0);
    const accepting = await world.servers.west.client().get(clusterPairs, { namespace, name: 'east' });
    assert.equal(accepting.spec.confirmedFingerprint, fingerprint);
    await world.run('pair list');
    await world.run('pair revoke remotecluster');
    await world.run('pair revoke remotecluster');
    assert.ok(!world.transcript().includes(code));
    await assertGolden('pair-create.txt', world.transcript());
  });

  it('rotate asks by one pair, and shows the key that the agent then has', async () => {
    const world = await pairWorld();
    await world.run('pair rotate');
    const client = world.servers.east.client();
    const spec = { join: { codeSecret: 's' } };
    const metadata = { name: 'west', namespace };
    const { apiVersion, kind } = clusterPairs;
    await client.create(clusterPairs, { apiVersion, kind, metadata, spec });
    const other = fingerprint.replace('q83v', 'aaaa');
    const exit = await play(world, 'pair rotate', [
      [
        'east',
        async (_, pair) => {
          assert.notEqual(pair.metadata.annotations?.[rotateAnnotation], undefined);
          await write(client, pair, { ownFingerprint: other });
          const body = { metadata: { annotations: { [rotateAnnotation]: null } } };
          await client.patch(clusterPairs, { namespace, name: 'west' }, { type: 'merge', body });
        },
      ],
    ]);
    assert.equal(exit, 0);
    await assertGolden('pair-rotate.txt', world.transcript());
  });

  it('create does not confirm a key that its other end does not show', async () => {
    const world = await pairWorld();
    const other = 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    const exit = await play(world, 'pair create east west', [
      ['west', inviting],
      ['east', becomesJoined],
      [
        'west',
        (client, pair) => write(client, pair, { ...joined('False'), peer: { fingerprint: other, cluster: 'east' } }),
      ],
    ]);
    assert.equal(exit, 1);
    const accepting = await world.servers.west.client().get(clusterPairs, { namespace, name: 'east' });
    assert.equal(accepting.spec.confirmedFingerprint, undefined);
    assert.match(world.transcript(), /somebody stands between/);
  });

  it('accept prints the code alone on standard output; confirm asks for the fingerprint', async () => {
    const world = await pairWorld();
    assert.equal(
      await play(world, 'pair accept east --grant-namespaces shop --grant-direction receive', [['east', inviting]]),
      0,
    );
    assert.equal(await world.run('pair accept east'), 1);
    assert.equal(await play(world, 'pair confirm east', [['east', becomesJoined]]), 1);
    assert.equal(await world.run('pair confirm east --fingerprint SHA256:somethingelse'), 1);
    assert.equal(await play(world, `pair confirm east --fingerprint ${fingerprint}`, [['east', becomesReady]]), 0);
    await assertGolden('pair-accept.txt', world.transcript());
  });

  it('join reads the code from standard input', async () => {
    const world = await pairWorld();
    assert.equal(await play(world, 'pair join west --code-file -', [['east', becomesJoined]], `${code}\n`), 0);
    const secret = await world.servers.east.client().get(core.secrets, { namespace, name: 'stork-join-west' });
    assert.equal(Buffer.from(secret.data?.code ?? '', 'base64').toString(), code);
    assert.equal(await world.run('pair join other', { stdin: 'hunter2' }), 1);
    assert.equal(await world.run('pair join west', { stdin: code }), 1);
    await assertGolden('pair-join.txt', world.transcript());
  });

  it('join leaves nothing behind when the code is refused', async () => {
    const world = await pairWorld();
    const message = 'The code was used already by the agent SHA256:x; yours is SHA256:y.';
    const refusing: Agent = (client, pair) =>
      write(client, pair, {
        schedulerStatus: 'Error',
        conditions: [condition('Joined', 'False', message, 'CodeUsed')],
      });
    assert.equal(await play(world, 'pair join west', [['east', refusing]], code), 1);
    const left = world.servers.east.objects().filter(({ kind }) => kind === 'ClusterPair' || kind === 'Secret');
    assert.deepEqual(left, []);
    assert.ok(world.transcript().includes(message));
    assert.ok(!world.transcript().includes(code));
  });

  it('says so when no agent is there', async () => {
    const world = terminalWorld({ start });
    assert.equal(await world.run('pair accept east -n default'), 1);
    const waiting = world.run('pair accept east -n default --endpoint 198.51.100.7:30443 --timeout 3s');
    for (let second = 0; second < 5; second += 1) await world.clock.advance(1000);
    assert.equal(await waiting, 1);
    await assertGolden('pair-no-agent.txt', world.transcript());
  });
});

describe('endpoints of a cluster', () => {
  const service = (fields: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, ...fields });
  const node = (name: string, ready: 'True' | 'False', addresses: readonly (readonly [string, string])[]) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: {
      conditions: [{ type: 'Ready', status: ready }],
      addresses: addresses.map(([type, address]) => ({ type, address })),
    },
  });

  it('are what the installer was told', () => {
    const metadata = { name: 's', annotations: { 'stork.libopenstorage.org/pair-endpoint': 'a:1,b:2' } };
    assert.deepEqual(endpointsOfService(service({ metadata })), ['a:1', 'b:2']);
  });

  it('are a load balancer', () => {
    const status = { loadBalancer: { ingress: [{ ip: '2001:db8::1' }, { hostname: 'lb.example.org' }] } };
    assert.deepEqual(endpointsOfService(service({ spec: { ports: [{ port: 8443 }] }, status })), [
      '[2001:db8::1]:8443',
      'lb.example.org:8443',
    ]);
  });

  it('are nodes: ready ones first, outer addresses before inner ones', () => {
    const nodePort = service({ spec: { ports: [{ port: 8443, nodePort: 30443 }] } });
    const down = node('down', 'False', [['InternalIP', '10.0.0.1']]);
    const up = node('up', 'True', [
      ['InternalIP', '10.0.0.2'],
      ['Hostname', 'up'],
    ]);
    assert.deepEqual(endpointsOfNodes(nodePort, [down, up]), ['10.0.0.2:30443', '10.0.0.1:30443']);
    const outer = node('outer', 'True', [['ExternalIP', '198.51.100.9']]);
    assert.deepEqual(endpointsOfNodes(nodePort, [down, up, outer]), ['198.51.100.9:30443']);
    assert.deepEqual(endpointsOfNodes(service({ spec: { ports: [{ port: 1 }] } }), [up]), []);
  });
});
