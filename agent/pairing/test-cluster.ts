/** For tests: clusters with a pairing agent each, their API servers in memory, their sockets on loopback. */
import { randomBytes } from 'node:crypto';
import { applyDefaults } from '../../crds/schema/index.ts';
import { type ClusterPair, type ClusterPairSpecInput, clusterPairs } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { type Access, fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { memoryLog } from '../../kube/log.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import type { EventFacts } from '../../kube/runtime/events.ts';
import { informerSet } from '../../kube/runtime/informer-set.ts';
import { ensureIdentity } from '../peer/identity.ts';
import type { PeerRoute } from '../peer/peer.ts';
import { createPeerService } from '../peer/peer-service.ts';
import type { OtherClusters } from './by-kubeconfig/reach-cluster.ts';
import { createPairing } from './pairing.ts';

export const agentNamespace = 'stork-system';

/** A cluster with an agent that pairs: API server in memory, sockets on loopback. */
export async function startCluster(
  cluster: string,
  authorize: (access: Access) => 'Allow' | 'Deny' = () => 'Allow',
  { routes = [], others = noOthers }: Partial<Pick<AgentSeat, 'routes' | 'others'>> = {},
) {
  const server = fakeApiServer({ clock: systemClock(), authorize });
  server.serve(clusterPairs);
  return startClusterOn(cluster, server.client(), { routes, others });
}

const noOthers: OtherClusters = {
  allowed: [],
  resolve: () => Promise.resolve([]),
  connect: () => {
    throw new TypeError('this test has no kubeconfigs');
  },
};

/** The same on any API server that serves ClusterPairs. */
export async function startClusterOn(
  cluster: string,
  client: KubeClient,
  { routes = [], others = noOthers }: Partial<Pick<AgentSeat, 'routes' | 'others'>> = {},
) {
  for (const name of [agentNamespace, 'shop']) {
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const agent = await startAgent({ cluster, client, routes, others, port: 0 });
  let running = agent;
  const read = (name: string, namespace = agentNamespace) => client.get(clusterPairs, { namespace, name });
  const secret = async (name: string, namespace = agentNamespace) =>
    (await client.find(core.secrets, { namespace, name }))?.data;
  return {
    client,
    read,
    secret,
    agent: () => running,
    /** Replaces the agent's process; the new one may have a client of its own. */
    async restart(own: KubeClient = client) {
      await running[Symbol.asyncDispose]();
      running = await startAgent({ cluster, client: own, routes, others, port: running.port });
    },
    create: (name: string, spec: ClusterPairSpecInput, namespace = agentNamespace) =>
      client.create(
        clusterPairs,
        applyDefaults(clusterPairs.schema, {
          apiVersion: clusterPairs.apiVersion,
          kind: clusterPairs.kind,
          metadata: { name, namespace },
          spec,
        }),
      ),
    /** Accepts under that name. @returns the code, as the plugin would read it */
    async accept(name: string, spec: Partial<ClusterPairSpecInput> = {}) {
      const endpoints = [`127.0.0.1:${running.port}`];
      await this.create(name, { accept: { endpoints, ttlSeconds: 3600 }, grant: { namespaces: ['*'] }, ...spec });
      const found = await until(
        () => secret(`stork-invite-${name}`),
        (data) => data?.code !== undefined,
        'a code',
      );
      return Buffer.from(found?.code ?? '', 'base64').toString();
    },
    async join(name: string, code: string, endpoints?: readonly string[]) {
      await client.create(core.secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: `stork-join-${name}`, namespace: agentNamespace },
        data: { code: Buffer.from(code).toString('base64') },
      });
      const join = { codeSecret: `stork-join-${name}`, ...(endpoints === undefined ? {} : { endpoints }) };
      await this.create(name, { join, grant: { namespaces: ['*'] } });
    },
    confirm: (name: string, confirmedFingerprint: string) =>
      client.patch(
        clusterPairs,
        { namespace: agentNamespace, name },
        { type: 'merge', body: { spec: { confirmedFingerprint } } },
      ),
    until: (name: string, holds: (pair: ClusterPair) => boolean, what: string) => until(() => read(name), holds, what),
    condition: async (name: string, type: string) => findCondition((await read(name)).status?.conditions, type),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

interface AgentSeat {
  readonly cluster: string;
  readonly client: KubeClient;
  readonly routes: readonly PeerRoute[];
  readonly others: OtherClusters;
  readonly port: number;
}

async function startAgent({ cluster, client, routes, others, port }: AgentSeat) {
  const clock = systemClock();
  const log = memoryLog();
  const random = () => 0.5;
  const events: EventFacts[] = [];
  const identity = await ensureIdentity({ client, namespace: agentNamespace, randomBytes, now: clock.now() });
  const informers = informerSet({ client, clock, random, log });
  const service = createPeerService({
    identity,
    self: { cluster, version: 'v0' },
    routes,
    agentNamespace,
    clock,
    random,
    randomBytes,
    log,
  });
  const pairing = createPairing({
    client,
    informers,
    service,
    agentNamespace,
    cluster,
    others,
    events: { record: (event) => void events.push(event) },
    clock,
    random,
    randomBytes,
    log,
    port,
    host: '127.0.0.1',
  });
  const stop = new AbortController();
  const running = pairing.run(stop.signal);
  return {
    service,
    identity,
    events,
    log,
    port: await Promise.race([pairing.listening, running.then(() => 0)]),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await service[Symbol.asyncDispose]();
      await informers[Symbol.asyncDispose]();
    },
  };
}

export type TestCluster = Awaited<ReturnType<typeof startCluster>>;

export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean, what: string): Promise<T> {
  const deadline = new AbortController();
  const timer = systemClock().after(120_000, () => deadline.abort(new Error(`not within 2 minutes: ${what}`)));
  for (;;) {
    const value = await read();
    deadline.signal.throwIfAborted();
    if (holds(value)) {
      timer[Symbol.dispose]();
      return value;
    }
    await systemClock().sleep(5);
  }
}

export const isReady = (pair: ClusterPair) =>
  pair.status?.schedulerStatus === 'Ready' && pair.status.storageStatus === 'Ready';

/** Pairs `b` with `a` as two admins would. */
export async function pairUp(a: TestCluster, b: TestCluster) {
  await b.join('to-a', await a.accept('to-b'));
  const accepted = await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'somebody joined');
  await a.confirm('to-b', accepted.status?.peer?.fingerprint ?? '');
  await a.until('to-b', isReady, 'ready on a');
  await b.until('to-a', isReady, 'ready on b');
}

/** The pair id both sides use, as the one pair that a test made has it. */
export const idOf = (side: TestCluster) => side.agent().service.declared()[0]?.pairId ?? '';
