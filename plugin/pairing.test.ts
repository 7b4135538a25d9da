import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rotateAnnotation } from '../crds/agent-names.ts';
import { clusterPairs } from '../crds/v1alpha1/index.ts';
import { core } from '../kube/client/core.ts';
import { endpointsOfNodes, endpointsOfService } from '../kube/find-pair-endpoints.ts';
import {
  type Agent,
  becomesJoined,
  becomesReady,
  code,
  condition,
  fingerprint,
  inviting,
  joined,
  namespace,
  pairWorld,
  play,
  start,
  write,
} from './play-pairing.ts';
import { assertGolden, terminalWorld } from './terminal-world.ts';

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
    for (const server of Object.values(world.servers))
      assert.deepEqual((await server.client().listPage(clusterPairs)).items, [], 'what was made is removed again');
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
    const { uid } = (await world.servers.east.client().get(clusterPairs, { namespace, name: 'west' })).metadata;
    const owners = secret.metadata.ownerReferences?.map((owner) => owner.uid);
    assert.deepEqual(owners, [uid], 'an unused code goes with its ClusterPair');
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
