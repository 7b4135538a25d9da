import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { parseCode } from '../peer/invitation.ts';
import { eventually } from '../peer/two-agents.ts';
import { agentNamespace, idOf, isReady, pairUp, startCluster, until } from './test-cluster.ts';

describe('pairing', () => {
  it('goes from code to Ready on both sides, with one confirmation in between', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    assert.equal((await a.read('to-b')).status?.schedulerStatus ?? 'Pending', 'Pending');
    await b.join('to-a', code);
    const accepted = await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'somebody joined');
    assert.equal(accepted.status?.peer?.fingerprint, b.agent().identity.fingerprint);
    assert.equal(accepted.status?.peer?.cluster, 'b');
    assert.equal((await a.condition('to-b', 'Confirmed'))?.reason, 'AwaitingConfirmation');
    const waiting = await b.until(
      'to-a',
      (pair) => findCondition(pair.status?.conditions, 'Connected')?.reason === 'AwaitingConfirmation',
      'the joiner is told to wait',
    );
    assert.equal(waiting.status?.schedulerStatus, 'Pending');
    assert.equal(waiting.status?.ownFingerprint, b.agent().identity.fingerprint);
    assert.equal(waiting.status?.peer?.fingerprint, a.agent().identity.fingerprint);

    await a.confirm('to-b', accepted.status?.peer?.fingerprint ?? '');
    await a.until('to-b', isReady, 'ready on a');
    const ready = await b.until('to-a', isReady, 'ready on b');
    assert.equal(ready.status?.peer?.cluster, 'a');
    assert.notEqual(ready.status?.lastSeenTime, undefined);
    await until(
      () => a.secret('stork-invite-to-b'),
      (data) => data === undefined,
      'the code is gone on a',
    );
    await until(
      () => b.secret('stork-join-to-a'),
      (data) => data === undefined,
      'the code is gone on b',
    );
  });

  it('continues after both agents were replaced, without any admin', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await a.restart();
    await b.restart();
    await eventually(() => a.agent().service.peers.findById(idOf(a)) !== undefined, 'declared again');
    await eventually(
      () => [a, b].every((side) => side.agent().service.peers.findById(idOf(side))?.state.ready === 'Yes'),
      'connected again',
      10_000,
    );
  });

  it('is dialled by the accepting side when the joiner named an address, and comes back by either', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await b.join('to-a', code, [`127.0.0.1:${b.agent().port}`]);
    const accepted = await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'somebody joined');
    assert.deepEqual(accepted.status?.peer?.endpoints, [`127.0.0.1:${b.agent().port}`]);
    await a.confirm('to-b', accepted.status?.peer?.fingerprint ?? '');
    await b.until('to-a', isReady, 'ready on b');
    await a.restart();
    await b.restart();
    const connected = () =>
      [a, b].every((side) => side.agent().service.peers.findById(idOf(side))?.state.ready === 'Yes');
    await eventually(connected, 'connected again');
  });

  it('refuses a used code for a second pair of the same cluster, naming the first', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await b.join('to-a', code);
    await b.until('to-a', (pair) => pair.status?.peer !== undefined, 'joined');
    await b.join('again', code);
    const refused = await b.until(
      'again',
      (pair) => findCondition(pair.status?.conditions, 'Joined')?.reason === 'CodeUsed',
      'refused',
    );
    assert.match(findCondition(refused.status?.conditions, 'Joined')?.message ?? '', /ClusterPair stork-system\/to-a /);
  });

  it('puts no code, key or proof into any object but Secrets, nor into the log', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    const { secret } = parseCode(code);
    await b.join('to-a', code);
    await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'somebody joined');
    const written = JSON.stringify([
      await a.read('to-b'),
      await b.read('to-a'),
      a.agent().log.lines,
      b.agent().log.lines,
      a.agent().events,
    ]);
    assert.equal(
      [code, secret, 'PRIVATE KEY'].some((kept) => written.includes(kept)),
      false,
    );
  });

  it('revokes at once when either ClusterPair is deleted, and tells the other side', async () => {
    for (const deletes of ['a', 'b'] as const) {
      await using a = await startCluster('a');
      await using b = await startCluster('b');
      await pairUp(a, b);
      const [gone, left, goneName, leftName] = deletes === 'a' ? [a, b, 'to-b', 'to-a'] : [b, a, 'to-a', 'to-b'];
      const peer = left.agent().service.peers.findById(idOf(left));
      const { uid } = (await gone.read(goneName)).metadata;
      await gone.client.delete(clusterPairs, { namespace: agentNamespace, name: goneName });
      await eventually(() => peer?.state.ready === 'No', 'the link is closed');
      const told = await left.until(
        leftName,
        (pair) => pair.status?.schedulerStatus === 'Error',
        'the other side knows',
      );
      assert.equal(findCondition(told.status?.conditions, 'Connected')?.reason, 'Revoked');
      await until(
        () => gone.secret(`stork-pair-${uid}`),
        (data) => data === undefined,
        'the trust is gone',
      );
    }
  });

  it('a code that was not used goes with its ClusterPair', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await a.agent()[Symbol.asyncDispose]();
    await b.join('to-a', code);
    await b.until(
      'to-a',
      (pair) => findCondition(pair.status?.conditions, 'Joined')?.status === 'Unknown',
      'it was presented in vain',
    );
    const key = { namespace: agentNamespace, name: 'stork-join-to-a' };
    const { metadata } = await b.client.get(core.secrets, key);
    const { uid } = (await b.read('to-a')).metadata;
    assert.deepEqual(
      metadata.ownerReferences?.map((owner) => owner.uid),
      [uid],
    );
  });

  it('forgets the trust of a ClusterPair that was deleted while no agent ran', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    const { uid } = (await a.read('to-b')).metadata;
    await a.agent()[Symbol.asyncDispose]();
    await a.client.delete(clusterPairs, { namespace: agentNamespace, name: 'to-b' });
    await a.restart();
    assert.equal(await a.secret(`stork-pair-${uid}`), undefined);
    const told = await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'b is turned away');
    assert.equal(findCondition(told.status?.conditions, 'Connected')?.reason, 'Revoked');
  });

  it("tells features why a ClusterPair has no peer yet, and finds it in the own namespace before the agent's", async () => {
    await using a = await startCluster('a');
    await a.accept('to-b');
    const { peers } = a.agent().service;
    const state = async () => (await peers.find('shop', 'to-b'))?.state;
    assert.equal((await peers.find('shop', 'to-b'))?.pair, 'stork-system/to-b');
    assert.deepEqual(await state(), {
      ready: 'No',
      code: 'WaitingForJoiner',
      message: 'Nobody has used the code yet.',
    });
    assert.equal(await peers.find('shop', 'elsewhere'), undefined);
    await a.create('to-b', { grant: { namespaces: ['shop'] } }, 'shop');
    const own = await until(
      () => peers.find('shop', 'to-b'),
      (peer) => peer?.pair === 'shop/to-b',
      'its own pair',
    );
    assert.equal(own?.state.ready === 'No' && own.state.code, 'NoInvitation');
    await a.client.delete(clusterPairs, { namespace: 'shop', name: 'to-b' });
    await until(
      () => peers.find('shop', 'to-b'),
      (peer) => peer?.pair === 'stork-system/to-b',
      'gone again',
    );
  });

  it('closes the link when the trust is taken away, and invites anew', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    const peer = b.agent().service.peers.findById(idOf(b));
    const { uid } = (await a.read('to-b')).metadata;
    await a.client.delete(core.secrets, { namespace: agentNamespace, name: `stork-pair-${uid}` });
    await a.confirm('to-b', 'SHA256:touched-so-that-it-is-looked-at');
    await eventually(() => peer?.state.ready === 'No', 'closed');
    await until(
      () => a.secret('stork-invite-to-b'),
      (data) => data?.code !== undefined,
      'a new code',
    );
  });

  it('says in status what it may not do, and goes on once it may', async () => {
    let allowed: 'Allow' | 'Deny' = 'Deny';
    await using a = await startCluster('a', ({ verb, resource, namespace }) =>
      resource === 'secrets' && verb === 'create' && namespace === 'shop' ? allowed : 'Allow',
    );
    await a.create('to-b', { accept: { endpoints: ['127.0.0.1:1'] } }, 'shop');
    const invited = () => a.read('to-b', 'shop').then((pair) => findCondition(pair.status?.conditions, 'Invited'));
    const told = await until(invited, (condition) => condition?.reason === 'AgentForbidden', 'told');
    assert.match(told?.message ?? '', /secrets/);
    allowed = 'Allow';
    await a.restart();
    await until(invited, (condition) => condition?.status === 'True', 'invited');
  });
});
