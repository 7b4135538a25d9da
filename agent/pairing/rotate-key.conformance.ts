import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { rotateAnnotation } from '../../crds/agent-names.ts';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { eventually } from '../peer/two-agents.ts';
import { keyLifeMs } from './rotate-key.ts';
import { agentNamespace, idOf, isReady, pairUp, startCluster, type TestCluster } from './test-cluster.ts';

const ready = (side: TestCluster) => side.agent().service.peers.findById(idOf(side))?.state.ready === 'Yes';

async function rotate(side: TestCluster, name: string) {
  const former = side.agent().service.identity.pin;
  const body = { metadata: { annotations: { [rotateAnnotation]: randomBytes(8).toString('hex') } } };
  await side.client.patch(clusterPairs, { namespace: agentNamespace, name }, { type: 'merge', body });
  await eventually(() => side.agent().service.identity.pin !== former, 'the key was replaced');
  await side.until(
    name,
    (pair) =>
      pair.metadata.annotations?.[rotateAnnotation] === undefined &&
      pair.status?.ownFingerprint === side.agent().service.identity.fingerprint,
    'told and answered',
  );
}

const peerFingerprint = async (side: TestCluster, name: string) => (await side.read(name)).status?.peer?.fingerprint;

describe('a key that is replaced', () => {
  for (const side of ['a', 'b'] as const)
    it(`on ${side}: the other follows by itself, confirmed as before, and again after the next one`, async () => {
      await using a = await startCluster('a');
      await using b = await startCluster('b');
      await pairUp(a, b);
      const [rotates, follows] = side === 'a' ? [a, b] : [b, a];
      const [own, other] = side === 'a' ? ['to-b', 'to-a'] : ['to-a', 'to-b'];
      for (let round = 0; round < 3; round++) {
        await rotate(rotates, own);
        const { fingerprint } = rotates.agent().service.identity;
        await follows.until(other, (pair) => pair.status?.peer?.fingerprint === fingerprint, 'followed');
        await follows.until(other, isReady, 'ready');
        await eventually(() => ready(a) && ready(b), 'connected');
      }
      assert.equal((await follows.condition(other, 'Confirmed'))?.reason, 'KeyReplaced');
      await a.restart();
      await b.restart();
      await eventually(() => ready(a) && ready(b), 'connected after restarts');
    });

  it('is recognised by a peer that slept through several, when it comes back', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await b.agent()[Symbol.asyncDispose]();
    for (let round = 0; round < 4; round++) await rotate(a, 'to-b');
    await a.restart();
    await b.restart();
    await eventually(() => ready(a) && ready(b), 'connected again');
    const { fingerprint } = a.agent().service.identity;
    await b.until('to-a', (pair) => pair.status?.peer?.fingerprint === fingerprint, 'followed');
  });

  it('by both at once is followed by both', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await Promise.all([rotate(a, 'to-b'), rotate(b, 'to-a')]);
    await eventually(() => ready(a) && ready(b), 'connected again');
    const keyOf = (side: TestCluster) => side.agent().service.identity.fingerprint;
    await a.until('to-b', (pair) => pair.status?.peer?.fingerprint === keyOf(b), 'a follows');
    await b.until('to-a', (pair) => pair.status?.peer?.fingerprint === keyOf(a), 'b follows');
  });

  it('lets a code of the former key still be used', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await rotate(a, 'to-b');
    await b.join('to-a', code);
    await b.until('to-a', (pair) => findCondition(pair.status?.conditions, 'Joined')?.status === 'True', 'joined');
    assert.equal(await peerFingerprint(b, 'to-a'), a.agent().service.identity.fingerprint);
  });

  it('happens by itself after a year, and not before', async () => {
    await using a = await startCluster('a');
    await a.accept('to-b');
    const { pin } = a.agent().service.identity;
    await a.restart();
    assert.equal(a.agent().service.identity.pin, pin);
    const key = { namespace: agentNamespace, name: 'stork-identity' };
    const secret = await a.client.get(core.secrets, key);
    const since = Buffer.from(new Date(Date.now() - keyLifeMs - 1000).toISOString()).toString('base64');
    await a.client.replace(core.secrets, { ...secret, data: { ...secret.data, since } });
    await a.restart();
    await eventually(() => a.agent().service.identity.pin !== pin, 'replaced');
  });
});
