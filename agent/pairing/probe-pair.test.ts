import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { probeAnnotation } from '../../crds/agent-names.ts';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { eventually } from '../peer/two-agents.ts';
import { agentNamespace, pairUp, startCluster, type TestCluster, until } from './test-cluster.ts';

async function examine(side: TestCluster, name: string, token: string) {
  const body = { metadata: { annotations: { [probeAnnotation]: token } } };
  await side.client.patch(clusterPairs, { namespace: agentNamespace, name }, { type: 'merge', body });
  const pair = await side.until(name, ({ status }) => status?.probe?.token === token, 'examined');
  const connected = findCondition(pair.status?.conditions, 'Connected');
  return { rows: pair.status?.probe?.endpoints ?? [], connected };
}

describe('a pair that is examined', () => {
  it('shows each address, its own too, and stays connected', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    const onB = await examine(b, 'to-a', 'one');
    assert.deepEqual(
      onB.rows.map(({ whose, hop, result }) => [whose, hop, result]),
      [['Peer', 'Key', 'Passed']],
    );
    const onA = await examine(a, 'to-b', 'two');
    assert.deepEqual(
      onA.rows.map(({ whose, hop, result }) => [whose, hop, result]),
      [['Own', 'Key', 'Passed']],
    );
    assert.equal(onB.connected?.status, 'True');
    assert.equal(b.agent().service.declared()[0]?.state.ready, 'Yes');
  });

  it('shows where the way ends while the peer is down, on either side', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await a.agent()[Symbol.asyncDispose]();
    await eventually(() => b.agent().service.declared()[0]?.state.ready === 'No', 'noticed');
    const { rows, connected } = await examine(b, 'to-a', 'one');
    assert.deepEqual(
      rows.map(({ hop, code }) => [hop, code]),
      [['Connect', 'ConnectionRefused']],
    );
    assert.deepEqual([connected?.status, connected?.reason], ['False', 'PeerUnreachable']);
    await b.agent()[Symbol.asyncDispose]();
    await a.restart();
    const onA = await examine(a, 'to-b', 'two');
    assert.deepEqual([onA.connected?.status, onA.connected?.reason], ['False', 'WaitingForPeer']);
  });

  it('tries no address that a tenant wrote down', async () => {
    await using a = await startCluster('a');
    const metadata = { name: 'mine', namespace: 'shop', annotations: { [probeAnnotation]: 'one' } };
    const { apiVersion, kind } = clusterPairs;
    const spec = { accept: { endpoints: ['127.0.0.1:22'], ttlSeconds: 3600 } };
    await a.client.create(clusterPairs, { apiVersion, kind, metadata, spec });
    const pair = await until(
      () => a.read('mine', 'shop'),
      ({ status }) => status?.probe?.token === 'one',
      'examined',
    );
    assert.deepEqual(pair.status?.probe?.endpoints, []);
  });

  it('tells a revoked pair from one that can not be reached', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await a.client.delete(clusterPairs, { namespace: agentNamespace, name: 'to-b' });
    await b.until('to-a', ({ status }) => status?.schedulerStatus === 'Error', 'told');
    const { rows, connected } = await examine(b, 'to-a', 'one');
    assert.equal(rows[0]?.result, 'Passed');
    assert.equal(connected?.reason, 'Revoked');
  });
});
