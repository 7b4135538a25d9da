import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agentNamespace, pairEndpointAnnotation, pairServiceName } from '../../../crds/agent-names.ts';
import { type ClusterPair, type ClusterPairSpecInput, clusterPairs } from '../../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { systemClock } from '../../../kube/clock.ts';
import { ApiError, StorkError } from '../../../kube/errors.ts';
import { type FaultyClient, faulty } from '../../../kube/fake/faulty.ts';
import { findCondition } from '../../../kube/runtime/conditions.ts';
import { idOf, isReady, startCluster, type TestCluster, until } from '../test-cluster.ts';
import { invitedPairKey } from './invited-pair.ts';

const token = 'token-of-b-that-nobody-may-see';

/** As `storkctl generate clusterpair` writes it. */
const kubeconfigOf = (given: { readonly token?: string; readonly server?: string } = {}) => ({
  'current-context': 'b',
  preferences: {},
  clusters: { b: { LocationOfOrigin: '/home/me/.kube/config', server: given.server ?? 'https://api.b.example:6443' } },
  users: { admin: { LocationOfOrigin: '/home/me/.kube/config', token: given.token ?? token } },
  contexts: { b: { LocationOfOrigin: '/home/me/.kube/config', cluster: 'b', user: 'admin' } },
});

/** The other cluster as `a` reaches it: which client its kubeconfig leads to. */
interface Road {
  client: KubeClient | undefined;
}

function others(road: Road) {
  return {
    allowed: [],
    resolve: (host: string) => {
      if (host !== 'api.b.example.') return Promise.reject(new Error(`getaddrinfo ENOTFOUND ${host}`));
      return Promise.resolve(['203.0.113.7']);
    },
    connect: ({ server, credentials }: { server: string; credentials: { token?: unknown } }) => {
      const client = faulty(road.client ?? unreachable(server));
      const isRight = JSON.stringify(credentials.token ?? '').includes(`"${token}"`);
      if (!isRight) client.next('find', unauthorized);
      return client;
    },
  };
}

const unauthorized = new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' }, 'clusterpairs');

function unreachable(server: string): KubeClient {
  throw new StorkError({
    code: 'ApiServerUnreachable',
    message: `The API server ${server} can't be reached.`,
    about: server,
    retryable: true,
    cause: new Error('connect ECONNREFUSED 203.0.113.7:6443'),
  });
}

async function installThere(b: TestCluster): Promise<void> {
  await b.client.create(core.services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: pairServiceName,
      namespace: agentNamespace,
      annotations: { [pairEndpointAnnotation]: `127.0.0.1:${b.agent().port}` },
    },
  });
}

const create = (a: TestCluster, spec: ClusterPairSpecInput, namespace = 'shop') => a.create('remote', spec, namespace);

const readyThere = async (a: TestCluster, b: TestCluster) => {
  const own = await a.read('remote', 'shop');
  const { namespace, name } = invitedPairKey(own);
  return until(() => b.read(name, namespace), isReady, 'ready on b');
};

const untilOf = (a: TestCluster, holds: (pair: ClusterPair) => boolean, what: string) =>
  until(() => a.read('remote', 'shop'), holds, what);

const joinedOf = (pair: ClusterPair) => findCondition(pair.status?.conditions, 'Joined');

describe("a ClusterPair with the other cluster's kubeconfig", () => {
  it('M19: becomes Ready by itself, one way, for its namespace; the other cluster has an end in its agent namespace', async () => {
    const road: Road = { client: undefined };
    await using b = await startCluster('b');
    road.client = b.client;
    await installThere(b);
    await using a = await startCluster('a', undefined, { others: others(road) });
    await create(a, { config: kubeconfigOf() });
    const ready = await untilOf(a, isReady, 'ready on a');
    const there = await readyThere(a, b);
    assert.equal(there.spec.confirmedFingerprint, a.agent().identity.fingerprint);
    assert.deepEqual(there.spec.grant, {
      namespaces: ['shop'],
      directions: ['Receive'],
      clusterScopedKinds: [],
      serviceAccount: 'stork-peer',
    });
    const peer = await a.agent().service.peers.find('shop', 'remote');
    assert.deepEqual(peer?.grant.namespaces, ['shop']);
    assert.deepEqual(peer?.grant.directions, ['Send']);
    const warning = findCondition(ready.status?.conditions, 'InlineCredentials');
    assert.equal(warning?.status, 'True');
    assert.ok(a.agent().events.some((event) => event.reason === 'InlineCredentials' && event.type === 'Warning'));
    const told = a.agent().events.map(({ reason, message }) => [reason, message]);
    const shown = JSON.stringify([ready.status, there, told, a.agent().log.lines, b.agent().log.lines]);
    assert.ok(!shown.includes(token));
  });

  it('M19: leads both ways where both clusters have one for the other', async () => {
    const [roadOfA, roadOfB]: [Road, Road] = [{ client: undefined }, { client: undefined }];
    await using a = await startCluster('a', undefined, { others: others(roadOfA) });
    await using b = await startCluster('b', undefined, { others: others(roadOfB) });
    await installThere(a);
    await installThere(b);
    [roadOfA.client, roadOfB.client] = [b.client, a.client];
    await create(a, { config: kubeconfigOf() });
    await create(b, { config: kubeconfigOf() });
    for (const side of [a, b]) {
      await untilOf(side, isReady, 'ready');
      const peer = await side.agent().service.peers.find('shop', 'remote');
      assert.deepEqual(peer?.state, { ready: 'Yes' });
      assert.deepEqual(peer?.grant.directions, ['Send']);
    }
  });

  it('stays Ready without its kubeconfig, and needs it for nothing more', async () => {
    const road: Road = { client: undefined };
    await using b = await startCluster('b');
    road.client = b.client;
    await installThere(b);
    await using a = await startCluster('a', undefined, { others: others(road) });
    await create(a, { config: kubeconfigOf() });
    await untilOf(a, isReady, 'ready');
    road.client = undefined;
    const key = { namespace: 'shop', name: 'remote' };
    await a.client.patch(clusterPairs, key, { type: 'json', body: [{ op: 'remove', path: '/spec/config' }] });
    await a.restart();
    const ready = await untilOf(
      a,
      (pair) => isReady(pair) && findCondition(pair.status?.conditions, 'InlineCredentials') === undefined,
      'ready again',
    );
    assert.equal(ready.spec.config, undefined);
    assert.deepEqual((await a.agent().service.peers.find('shop', 'remote'))?.grant.directions, ['Send']);
  });

  const mistakes = [
    [
      'M13: wrong token',
      { token: 'wrong' },
      'KubeconfigUnauthorized',
      /does not accept the credentials of spec\.config/,
    ],
    ['M13: wrong host', { server: 'https://api.c.example' }, 'KubeconfigUnreachable', /can't be resolved/],
    ['M13: wrong kubeconfig', { server: 'http://api.b.example' }, 'KubeconfigRefused', /server is not https/],
    ['an address inside', { server: 'https://127.0.0.1' }, 'KubeconfigRefused', /loopback/],
  ] as const;
  for (const [name, given, code, message] of mistakes) {
    it(`${name}: status Error, an event, nothing made there; mended, it becomes Ready`, async () => {
      const road: Road = { client: undefined };
      await using b = await startCluster('b');
      road.client = b.client;
      await installThere(b);
      await using a = await startCluster('a', undefined, { others: others(road) });
      await create(a, { config: kubeconfigOf(given) });
      const told = await untilOf(a, (pair) => pair.status?.schedulerStatus === 'Error', 'told');
      assert.equal(joinedOf(told)?.reason, code);
      assert.match(joinedOf(told)?.message ?? '', message);
      assert.ok(a.agent().events.some((event) => event.reason === code && event.type === 'Warning'));
      const peer = await a.agent().service.peers.find('shop', 'remote');
      assert.equal(peer?.state.ready === 'No' && peer.state.code, code);
      for await (const { metadata } of b.client.list(clusterPairs)) assert.fail(metadata.name);
      const body = { spec: { config: null } };
      const key = { namespace: 'shop', name: 'remote' };
      await a.client.patch(clusterPairs, key, { type: 'merge', body });
      await a.client.patch(clusterPairs, key, { type: 'merge', body: { spec: { config: kubeconfigOf() } } });
      await untilOf(a, isReady, 'ready');
    });
  }

  it('M13: an API server that is away is told, and tried again', async () => {
    const road: Road = { client: undefined };
    await using b = await startCluster('b');
    await installThere(b);
    await using a = await startCluster('a', undefined, { others: others(road) });
    await create(a, { config: kubeconfigOf() });
    const told = await untilOf(a, (pair) => pair.status?.schedulerStatus === 'Error', 'told');
    assert.equal(joinedOf(told)?.reason, 'KubeconfigUnreachable');
    assert.match(joinedOf(told)?.message ?? '', /ECONNREFUSED/);
    road.client = b.client;
    await a.restart();
    await untilOf(a, isReady, 'ready');
  });

  it('says that no agent is installed there', async () => {
    const road: Road = { client: undefined };
    await using b = await startCluster('b');
    road.client = b.client;
    await using a = await startCluster('a', undefined, { others: others(road) });
    await create(a, { config: kubeconfigOf() });
    const told = await untilOf(a, (pair) => pair.status?.schedulerStatus === 'Error', 'told');
    assert.equal(joinedOf(told)?.reason, 'RemoteAgentMissing');
  });

  it('goes to no Service of its own cluster', async () => {
    const road: Road = { client: undefined };
    await using a = await startCluster('a', undefined, { others: others(road) });
    await a.client.create(core.services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'hidden', namespace: 'shop' },
      spec: { clusterIP: '203.0.113.7' },
    });
    await create(a, { config: kubeconfigOf() });
    const told = await untilOf(a, (pair) => pair.status?.schedulerStatus === 'Error', 'told');
    assert.match(joinedOf(told)?.message ?? '', /inside this cluster \(Service shop\/hidden\)/);
  });

  it('is given up on both sides by the deletion of either end', async () => {
    for (const deletes of ['a', 'b'] as const) {
      const road: Road = { client: undefined };
      await using b = await startCluster('b');
      road.client = b.client;
      await installThere(b);
      await using a = await startCluster('a', undefined, { others: others(road) });
      await create(a, { config: kubeconfigOf() });
      await untilOf(a, isReady, 'ready');
      const { metadata } = await readyThere(a, b);
      const end = { namespace: metadata.namespace, name: metadata.name };
      if (deletes === 'a') {
        await a.client.delete(clusterPairs, { namespace: 'shop', name: 'remote' });
        await until(
          () => b.client.find(clusterPairs, end),
          (pair) => pair === undefined,
          'its end on b is gone too',
        );
      } else {
        await b.client.delete(clusterPairs, end);
        await untilOf(a, (pair) => pair.status?.schedulerStatus === 'Error', 'told');
        assert.equal(await b.client.find(clusterPairs, end), undefined, 'it is not made anew against the will of b');
      }
    }
  });

  it('says that options for a storage system are not used', async () => {
    await using a = await startCluster('a');
    await create(a, { options: { ip: '203.0.113.9', token: 'storage-token' } });
    const told = await untilOf(a, (pair) => pair.status?.storageStatus === 'NotProvided', 'told');
    const condition = findCondition(told.status?.conditions, 'StorageOptions');
    assert.equal(condition?.reason, 'StorageOptionsUnused');
    assert.match(condition?.message ?? '', /spec\.options \(ip, token\)/);
  });
});

describe('an agent that dies while it pairs by kubeconfig', () => {
  for (const moment of ['Before', 'After'] as const) {
    for (const at of [1, 2, 3, 4]) {
      it(`${moment.toLowerCase()} its own write ${at}: Ready afterwards, one end there`, async () => {
        const road: Road = { client: undefined };
        await using b = await startCluster('b');
        road.client = b.client;
        await installThere(b);
        await using a = await startCluster('a', undefined, { others: others(road) });
        const dying = faulty(a.client);
        await a.restart(dying);
        dying.dieAtWrite(at, moment);
        await create(a, { config: kubeconfigOf() });
        await pairThroughDeath(a, b, dying);
      });
    }
    for (const at of [1, 2]) {
      it(`${moment.toLowerCase()} its write ${at} to the other cluster: Ready afterwards, one end there`, async () => {
        const road: Road = { client: undefined };
        await using b = await startCluster('b');
        const dying = faulty(b.client);
        road.client = dying;
        await installThere(b);
        await using a = await startCluster('a', undefined, { others: others(road) });
        dying.dieAtWrite(at, moment);
        await create(a, { config: kubeconfigOf() });
        await pairThroughDeath(a, b, dying, () => {
          road.client = b.client;
        });
      });
    }
  }
});

async function pairThroughDeath(a: TestCluster, b: TestCluster, dying: FaultyClient, restored = () => {}) {
  for (let isDead = false; !isDead; await systemClock().sleep(5)) {
    if (isReady(await a.read('remote', 'shop'))) break;
    isDead = await dying.find(core.namespaces, { name: agentNamespace }).then(
      () => false,
      () => true,
    );
  }
  restored();
  await a.restart();
  await untilOf(a, isReady, 'ready on a');
  await readyThere(a, b);
  const names: string[] = [];
  for await (const { metadata } of b.client.list(clusterPairs)) names.push(metadata.name);
  assert.equal(names.length, 1);
  assert.equal(idOf(a), idOf(b));
}
