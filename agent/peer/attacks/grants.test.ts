/** On real sockets, with the destination's real routes behind them: what a peer may not ask for, and what nobody gets by asking. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { beforeEach, describe, it } from 'node:test';
import { anything } from '../../../crds/schema/index.ts';
import { core } from '../../../kube/client/core.ts';
import { mustCover } from '../../migration/destination/must-cover.ts';
import { destinationRoutes } from '../../migration/destination/routes.ts';
import { paths } from '../../migration/messages.ts';
import { runId } from '../../migration/names.ts';
import { anApplication } from '../../migration/testing/an-application.ts';
import type { TwoClusters } from '../../migration/testing/two-clusters.ts';
import type { Peer, PeerCall } from '../peer.ts';
import { createStreamRendezvous, rendezvousKey, runStreamRoute } from '../stream-rendezvous.ts';
import { eventually, pairConfigs, startAgent } from '../two-agents.ts';
import { clock, closed } from './attacker.ts';

const operation = 'op-1';
const group = 'db/data';
const run = runId(operation, group);
const volume = { namespace: 'db', name: 'data', uid: 'u1', sizeBytes: '1024', volumeMode: 'Filesystem' };
const claims = [{ ...volume, accessModes: ['ReadWriteOnce'], storageClass: 'fast' }];
const aGroup = { operation, run, group, migration: 'db/m', mode: 'fresh', overwrite: false, claims };
const aWave = (kind: string, metadata: object, apiVersion = 'v1') => ({
  migration: 'db/m',
  time: 't',
  objects: [{ apiVersion, kind, metadata: { name: 'x', ...metadata } }],
});

describe('attack: a peer that asks for more than its grant', () => {
  let world: TwoClusters;
  beforeEach(async () => {
    world = await anApplication();
  });

  /** A destination that grants `db`, and a peer that is connected to it. */
  async function connected() {
    const rendezvous = createStreamRendezvous(clock);
    const routes = [
      ...destinationRoutes({ services: world.b.destination, wake: () => {} }),
      runStreamRoute(rendezvous),
    ];
    const left = await startAgent('left', routes);
    const right = await startAgent('right');
    const { onLeft, onRight } = pairConfigs(left, right);
    const narrow = { ...onLeft, grant: { ...onLeft.grant, namespaces: ['db'] } };
    const toRight = left.service.declare(narrow);
    const toLeft = right.service.declare(onRight);
    await eventually(() => [toRight, toLeft].every(({ state }) => state.ready === 'Yes'), 'connected');
    return {
      left,
      right,
      toLeft,
      narrow,
      rendezvous,
      async [Symbol.asyncDispose]() {
        await right[Symbol.asyncDispose]();
        await left[Symbol.asyncDispose]();
      },
    };
  }

  const ask = (peer: Peer, method: PeerCall<unknown>['method'], path: string, body?: object) =>
    peer.request({ method, path, body, answer: anything() });
  /** A narrowed grant ends what is open; the pair itself goes on. */
  const comesBack = async (peer: Peer) => {
    await eventually(() => peer.state.ready === 'No', 'its connections ended');
    await eventually(() => peer.state.ready === 'Yes', 'connected again');
  };
  const nothingNew = async () => {
    for (const name of ['db', 'web']) assert.equal(await world.b.client.find(core.namespaces, { name }), undefined);
    assert.equal((await world.b.destination.records.listReceives()).length, 0);
  };

  it('for a namespace outside of it is refused by name, and nothing changes', async () => {
    await using pair = await connected();
    const refused = { code: 'GrantRefused', message: /does not cover namespace web/ };
    await assert.rejects(
      ask(pair.toLeft, 'PUT', paths.wave(operation), aWave('Secret', { namespace: 'web' })),
      refused,
    );
    await assert.rejects(ask(pair.toLeft, 'PUT', paths.wave(operation), aWave('Namespace', { name: 'web' })), refused);
    await assert.rejects(
      ask(pair.toLeft, 'POST', paths.activate(operation), { migration: 'db/m', namespaces: ['web'] }),
      refused,
    );
    const elsewhere = { ...aGroup, claims: claims.map((claim) => ({ ...claim, namespace: 'web' })) };
    await assert.rejects(ask(pair.toLeft, 'PUT', paths.group(operation, run), elsewhere), refused);
    await nothingNew();
  });

  it('for a cluster-scoped kind outside of it is told so for that object, and nothing is written', async () => {
    await using pair = await connected();
    const wave = aWave('ClusterRole', {}, 'rbac.authorization.k8s.io/v1');
    const answer = await ask(pair.toLeft, 'PUT', paths.wave(operation), wave);
    assert.match(JSON.stringify(answer), /"result":"Failed".*ClusterRole/);
    assert.equal(await world.b.client.find(core.clusterRoles, { name: 'x' }), undefined);
  });

  it('for a verb that no route has finds none', async () => {
    await using pair = await connected();
    const path = '/api/v1/namespaces/db/secrets/x';
    for (const method of ['GET', 'PUT', 'DELETE'] as const)
      await assert.rejects(ask(pair.toLeft, method, path), { code: 'UnknownRoute' });
    await assert.rejects(ask(pair.toLeft, 'GET', '/v1/operations/../../secrets/plan'), { code: 'UnknownRoute' });
  });

  it('to write, when the pair only sends, is refused', async () => {
    await using pair = await connected();
    pair.left.service.declare({ ...pair.narrow, grant: { ...pair.narrow.grant, directions: ['Send'] } });
    await comesBack(pair.toLeft);
    const put = ask(pair.toLeft, 'PUT', paths.group(operation, run), aGroup);
    await assert.rejects(put, { code: 'GrantRefused', message: /does not receive/ });
    await nothingNew();
  });

  it('loses what it has open the moment the grant shrinks, and does not get it back', async () => {
    await using pair = await connected();
    await ask(pair.toLeft, 'PUT', paths.group(operation, run), aGroup);
    const stream = await pair.toLeft.openStream(paths.stream(run));
    stream.on('error', () => {});
    const gone = closed(stream);
    const grant = { ...pair.narrow.grant, namespaces: ['web'] };
    pair.left.service.declare({ ...pair.narrow, grant });
    await gone;
    await comesBack(pair.toLeft);
    await assert.rejects(ask(pair.toLeft, 'GET', paths.group(operation, run)), { code: 'GrantRefused' });
    const now = pair.left.service.peers.findById(pair.narrow.pairId);
    assert.ok(now !== undefined);
    assert.throws(() => mustCover({ agentNamespace: 'stork-system' }, now, ['db']), { code: 'GrantRefused' });
  });

  it("neither sees, ends, feeds nor reads another pair's run", async () => {
    await using pair = await connected();
    await using third = await startAgent('third');
    const other = pairConfigs(pair.left, third, 'c'.repeat(32));
    pair.left.service.declare({ ...other.onLeft, uid: 'uid-left-third', name: 'to-third' });
    const toLeft = third.service.declare(other.onRight);
    await eventually(() => toLeft.state.ready === 'Yes', 'connected');
    await ask(pair.toLeft, 'PUT', paths.group(operation, run), aGroup);
    await assert.rejects(ask(toLeft, 'GET', paths.group(operation, run)), { code: 'GrantRefused' });
    await ask(toLeft, 'DELETE', paths.operation(operation));
    assert.equal((await world.b.destination.records.findReceive(run))?.value.phase, 'Working');

    const taken = new AbortController();
    const mover = pair.rendezvous.take(rendezvousKey(pair.narrow.pairId, run), taken.signal);
    const theirs = await toLeft.openStream(paths.stream(run));
    theirs.on('error', () => {});
    const genuine = await pair.toLeft.openStream(paths.stream(run));
    genuine.on('error', () => {});
    genuine.write('genuine');
    const stream = await mover;
    const [first] = await once(stream, 'data');
    assert.equal(String(first), 'genuine');
    theirs.destroy();
    stream.destroy();
  });
});
