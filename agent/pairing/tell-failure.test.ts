import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../crds/schema/index.ts';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { silentLog } from '../../kube/log.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { describeFailure, tellingFailures } from './tell-failure.ts';
import { startClusterOn } from './test-cluster.ts';

const now = new Date('2026-11-21T10:00:00Z');
const pair = (conditions: Parameters<typeof findCondition>[0] = []) => ({
  apiVersion: clusterPairs.apiVersion,
  kind: 'ClusterPair',
  metadata: { name: 'west', namespace: 'shop', uid: 'u', generation: 2 },
  spec: {},
  status: { pairId: 'p', conditions: [...(conditions ?? [])] },
});
const ready = {
  type: 'Ready',
  status: 'True',
  reason: 'Ready',
  message: '',
  lastTransitionTime: '2026-11-21T09:00:00Z',
} as const;

describe('a pair whose reconcile throws', () => {
  it('says why and what to do; one that works stays Ready', () => {
    const error = new StorkError({ code: 'KeyUnreadable', message: 'the Secret is empty', hint: 'Restore it.' });
    const status = describeFailure(pair([ready]), error, now);
    assert.equal(status?.pairId, 'p');
    assert.equal(findCondition(status?.conditions, 'Ready')?.status, 'True');
    const failed = findCondition(status?.conditions, 'Reconciled');
    assert.deepEqual([failed?.status, failed?.reason], ['False', 'KeyUnreadable']);
    assert.equal(failed?.message, 'the Secret is empty. Restore it. It is tried again by itself.');
    assert.equal(findCondition(describeFailure(pair(), error, now)?.conditions, 'Ready')?.reason, 'KeyUnreadable');
  });

  it('keeps to itself what a foreign error might quote', () => {
    let thrown: unknown;
    try {
      JSON.parse('s3cret-key');
    } catch (error) {
      thrown = error;
    }
    const status = describeFailure(pair(), thrown, now);
    assert.equal(findCondition(status?.conditions, 'Reconciled')?.reason, 'ReconcileFailed');
    assert.match(JSON.stringify(status), /SyntaxError/);
    assert.doesNotMatch(JSON.stringify(status), /s3c/);
  });

  it('is not written again and again by a message that differs each time', () => {
    const fails = (message: string) => new StorkError({ code: 'Broken', message });
    const status = describeFailure(pair(), fails('at 1'), now);
    assert.equal(describeFailure(pair(status?.conditions), fails('at 2'), now), undefined);
  });

  it('keeps to itself what may pass, until it comes again and again', async () => {
    const server = fakeApiServer({ clock: systemClock() });
    server.serve(clusterPairs);
    const client = server.client();
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    const { uid: _given, ...metadata } = pair().metadata;
    await client.create(clusterPairs, applyDefaults(clusterPairs.schema, { ...pair(), metadata }));
    const told: string[] = [];
    const conflict = new StorkError({ code: 'Conflict', message: 'the object has been modified', retryable: true });
    const reconcile = tellingFailures(
      {
        ...{ client, clock: systemClock(), log: silentLog() },
        events: { record: ({ reason }) => void told.push(reason) },
      },
      () => Promise.reject(conflict),
    );
    const ready = async () =>
      findCondition((await client.get(clusterPairs, pair().metadata)).status?.conditions, 'Ready')?.reason;
    for (const _ of [1, 2, 3]) assert.equal((await reconcile('shop/west', new AbortController().signal)).do, 'retry');
    assert.deepEqual([told, await ready()], [[], undefined]);
    await reconcile('shop/west', new AbortController().signal);
    assert.deepEqual([told, await ready()], [['Conflict'], 'Conflict']);
  });

  it('tells it on the object, tries again, and takes it back', async () => {
    const server = fakeApiServer({ clock: systemClock() });
    server.serve(clusterPairs);
    const client = faulty(server.client());
    await using a = await startClusterOn('a', client);
    const broken = new StorkError({ code: 'DiskBroken', message: 'etcd has lost a page' });
    // The invitation's Secret can't be made.
    client.next('create', broken);
    const made = applyDefaults(clusterPairs.schema, {
      apiVersion: clusterPairs.apiVersion,
      kind: 'ClusterPair',
      metadata: { namespace: 'stork-system', name: 'to-b' },
      spec: { accept: { endpoints: ['127.0.0.1:1'], ttlSeconds: 3600 }, grant: { namespaces: ['*'] } },
    });
    await server.client().create(clusterPairs, made);
    await a.until('to-b', (one) => findCondition(one.status?.conditions, 'Invited')?.status === 'True', 'a code');
    assert.equal(await a.condition('to-b', 'Reconciled'), undefined);
    const told = a.agent().events.filter(({ reason }) => reason === 'DiskBroken');
    assert.deepEqual(
      told.map(({ type, message }) => [type, message]),
      [['Warning', 'etcd has lost a page. It is tried again by itself.']],
    );
  });
});
