/**
 * Two clusters on fakes with the migration feature on both sides, joined without a network: requests go straight to the
 * other side's routes, and a pair of mover jobs moves a volume's content when both run. Time is the test's.
 */
import { applyDefaults, renderCrd } from '../../../crds/schema/index.ts';
import {
  allKinds,
  clusterPairs,
  type Migration,
  type MigrationSpecInput,
  migrations,
} from '../../../crds/v1alpha1/index.ts';
import { type MemoryDriverOptions, memoryDriver } from '../../../drivers/memory/memory-driver.ts';
import { memoryStorage } from '../../../drivers/memory/memory-storage.ts';
import type { Impersonation, KubeClient } from '../../../kube/client/client.ts';
import { type CustomResourceDefinition, core } from '../../../kube/client/core.ts';
import { type Clock, type ManualClock, manualClock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import type { FakeApiServer, FakeApiServerOptions } from '../../../kube/fake/fake-api-server.ts';
import { type FaultyClient, faulty } from '../../../kube/fake/faulty.ts';
import { type Log, silentLog } from '../../../kube/log.ts';
import type { EffectRecorder } from '../../../kube/runtime/effects.ts';
import { parseKey } from '../../../kube/runtime/key.ts';
import { runMachine } from '../../../kube/runtime/run-machine.ts';
import { type GateAnswer, type MoverResult, shortDigest } from '../../mover/contract.ts';
import type { Peer, PeerGrant, PeerRoute, Peers } from '../../peer/peer.ts';
import { createAccess } from '../../requester/access.ts';
import { guardedServer } from '../../requester/testing/guarded-server.ts';
import { createRuleRunner } from '../../rule/rule-runner.ts';
import { destinationResources } from '../destination/destination-resources.ts';
import type { DestinationServices } from '../destination/destination-services.ts';
import { receive } from '../destination/receive.ts';
import { destinationRoutes } from '../destination/routes.ts';
import type { MoverJobs } from '../mover-jobs.ts';
import { createRecords } from '../records.ts';
import { collectMigration } from '../source/collect.ts';
import { migrationMachine } from '../source/migration-machine.ts';
import type { SourceServices } from '../source/source-services.ts';
import { directPeer, seenPair } from './connected-link.ts';
import { type StorageWorld, storageWorld } from './fake-storage-world.ts';
import { runWorkloads } from './fake-workloads.ts';
import { facetsFor, seedClasses } from './plain-storage.ts';

export const agentNamespace = 'stork-system';
/** What stashes are sealed with on both sides. */
export const stashKey = 'key';

export interface Side {
  readonly name: 'a' | 'b';
  readonly server: FakeApiServer;
  readonly client: KubeClient;
  /** The agent's own connection: what dies when the agent is killed. */
  readonly agent: FaultyClient;
  readonly world: StorageWorld;
  readonly source: SourceServices;
  readonly destination: DestinationServices;
  readonly gates: Map<string, () => Promise<GateAnswer>>;
  readonly scaledDown: string[];
}

export interface TwoClusters {
  readonly clock: ManualClock;
  readonly a: Side;
  readonly b: Side;
  readonly link: TestLink;
  /** In namespace `db` unless `name` is `namespace/name`; as a cluster admin unless told who asks. */
  migrate(from: Side, name: string, spec: Partial<MigrationSpecInput>, asked?: Impersonation): Promise<void>;
  /** Drives both agents until the migration has ended; the status it ended with. */
  finish(from: Side, name: string, effects?: EffectRecorder): Promise<NonNullable<Migration['status']>>;
  /** One look of each controller and of storage. */
  turn(from: Side, name: string, effects?: EffectRecorder): Promise<void>;
}

export interface TestLink {
  /** What a source's own ClusterPair grants, when it is not everything. */
  grant?: PeerGrant;
  /** `No`: the link is cut. */
  ready: 'Yes' | 'No';
  requests: number;
  /** Cuts the link for one request: before it reaches the other side, or before its answer comes back. */
  cutAt: { readonly request: number; readonly moment: 'Before' | 'After' } | undefined;
}

/** `authorize`: who may do what on A; every client of the fakes may do all, so only reviews ask it. */
export function twoClusters(options: FakeClusterOptions = {}): TwoClusters {
  const clock = manualClock();
  const link: TestLink = { ready: 'Yes', requests: 0, cutAt: undefined };
  const routes = new Map<string, readonly PeerRoute[]>();
  const peerTo = (name: 'a' | 'b') => directPeer(name, link, () => routes.get(name) ?? []);
  const { onExec } = options;
  const a = makeSide('a', { clock, options, peers: peersOf(peerTo('b')) });
  const b = makeSide('b', { clock, options: { onExec }, peers: peersOf(peerTo('a')) });
  for (const side of [a, b]) routes.set(side.name, destinationRoutes({ services: side.destination, wake: () => {} }));
  const stop = new AbortController();
  const turn = async (from: Side, name: string, effects?: EffectRecorder) => {
    const to = from === a ? b : a;
    const machine = migrationMachine(from.source);
    await runMachine(machine, { client: from.client, clock, log: silentLog(), effects })(keyOf(name), stop.signal);
    await receiveAll(to);
    await runMovers(from, to);
    await Promise.all([from.world.settle(), to.world.settle()]);
    await runWorkloads(from.client, 'AtOnce');
    await clock.advance(1000);
  };
  return {
    clock,
    a,
    b,
    link,
    turn,
    async migrate(from, name, spec, asked) {
      const { namespace = '', name: named } = parseKey(keyOf(name));
      const object = {
        apiVersion: migrations.apiVersion,
        kind: 'Migration',
        metadata: { name: named, namespace },
        spec: { clusterPair: 'pair', namespaces: ['db'], ...spec },
      };
      await from.server.client(asked).create(migrations, applyDefaults(migrations.schema, object));
    },
    async finish(from, name, effects) {
      for (let turns = 0; turns < 200; turns++) {
        await turn(from, name, effects);
        const { status } = await from.client.get(migrations, parseKey(keyOf(name)));
        if (status?.finishTimestamp !== undefined && status.status !== 'InProgress') return status;
      }
      const { status } = await from.client.get(migrations, parseKey(keyOf(name)));
      throw new Error(`migration ${name} has not ended: ${JSON.stringify(status)}`);
    },
  };
}

const keyOf = (name: string): string => (name.includes('/') ? name : `db/${name}`);

/** Looks at every incoming group, as its controller does: an error is tried again with the next look. */
async function receiveAll({ server, destination }: Side): Promise<void> {
  for (const { value } of await createRecords(server.client(), agentNamespace).listReceives())
    await receive(destination, value.request.run).catch(onlyStorkError);
}

function onlyStorkError(error: unknown): undefined {
  if (error instanceof StorkError) return undefined;
  throw error;
}

/** The agent's process is gone with all it had in memory; its successor starts with a connection that works. */
export function restartAgent(side: Side): void {
  side.gates.clear();
  side.agent.dieAtWrite(Number.POSITIVE_INFINITY, 'Before');
}

const peersOf = (peer: Peer): Peers => ({ find: async () => peer, findById: () => peer });

function makeSide(
  name: 'a' | 'b',
  parts: { readonly clock: ManualClock; readonly options: FakeClusterOptions; readonly peers: Peers },
): Side {
  const { clock, options, peers } = parts;
  const { server, client, world } = makeCluster(clock, options);
  const agent = faulty(server.client());
  const gates = new Map<string, () => Promise<GateAnswer>>();
  const scaledDown: string[] = [];
  const { source, destination } = agentServices({
    cluster: name,
    client: agent,
    clock,
    log: silentLog(),
    world,
    moverJobs: world.jobs,
    peers,
    sourceRuns: { open: () => ({ report: undefined, bytesPerSecond: 0 }), close: () => {} },
    destinationRuns: {
      open: ({ run }, gate) => void gates.set(run, gate),
      watch: () => undefined,
      close: (run) => void gates.delete(run),
    },
    async scaleDown(_, namespace, pods) {
      for (const pod of pods) await client.delete(core.pods, { namespace, name: pod }, { gracePeriodSeconds: 0 });
      scaledDown.push(...pods);
    },
  });
  return { name, server, client, agent, world, source, destination, gates, scaledDown };
}

/** What outlives agents: an API server with our kinds, and storage with one class. */
export interface FakeCluster {
  readonly server: FakeApiServer;
  readonly client: KubeClient;
  readonly world: StorageWorld;
}

export type FakeClusterOptions = Pick<FakeApiServerOptions, 'onExec' | 'authorize'>;

export function makeCluster(clock: Clock, options: FakeClusterOptions = {}): FakeCluster {
  const server = guardedServer({ clock, ...options });
  for (const kind of allKinds) server.register(assertDefinition(renderCrd(kind)));
  server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: agentNamespace } });
  server.seed(clusterPairs, seenPair);
  seedClasses(server);
  return {
    server,
    client: server.client(),
    world: storageWorld(
      server,
      memoryStorage(() => clock.now()),
    ),
  };
}

/** What one agent's process brings to its services. */
export interface AgentParts {
  readonly cluster: string;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly world: StorageWorld;
  readonly moverJobs: MoverJobs;
  readonly peers: Peers;
  readonly sourceRuns: SourceServices['runs'];
  readonly destinationRuns: DestinationServices['runs'];
  readonly scaleDown: DestinationServices['scaleDown'];
  /** Called around each change of the storage; may throw. */
  readonly onStorageChange?: MemoryDriverOptions['onMutation'];
  readonly effects?: EffectRecorder | undefined;
}

/** An agent's services as compose-leader.ts makes them, on fakes. */
export function agentServices(parts: AgentParts): {
  readonly source: SourceServices;
  readonly destination: DestinationServices;
} {
  const { client, clock, log, moverJobs } = parts;
  const driver = memoryDriver({ storage: parts.world.storage, onMutation: parts.onStorageChange });
  const shared = {
    client,
    clock,
    log,
    agentNamespace,
    records: createRecords(client, agentNamespace),
    moverJobs,
    driverFor: (volume: { readonly pv: Parameters<typeof driver.owns>[0]['pv'] }) =>
      driver.owns(volume) ? facetsFor(driver, volume.pv) : undefined,
  };
  const source: SourceServices = {
    ...shared,
    cluster: parts.cluster,
    peers: parts.peers,
    runs: parts.sourceRuns,
    rules: createRuleRunner({ client, clock }),
    access: createAccess(client),
    collect: (migration, context, signal) => collectMigration(client, migration, context, signal),
  };
  const destination: DestinationServices = {
    ...shared,
    effects: parts.effects,
    runs: parts.destinationRuns,
    ...destinationResources({ ...shared, stashKey }),
    scaleDown: parts.scaleDown,
  };
  return { source, destination };
}

/** When both movers of a run are there, the content crosses, as the real ones' contract says. */
async function runMovers(from: Side, to: Side): Promise<void> {
  for (const source of from.world.jobs.running.values()) {
    const sink = [...to.world.jobs.running.values()].find(
      ({ request }) => request.run === source.request.run && request.role === 'destination',
    );
    if (sink === undefined || sink.sight.job !== 'Running' || source.request.role !== 'source') continue;
    if (sink.request.volumes.some(({ name }) => to.world.jobs.stuck.has(name))) continue;
    const changed = sink.request.volumes.find(({ claim, expectDigest }) => {
      const content = to.world.contentOf(sink.request.namespace, claim);
      if (sink.request.existing === 'Redo' && content === unfinishedContent) return false;
      return expectDigest !== undefined && digestOf(content) !== expectDigest;
    });
    if (changed !== undefined) {
      sink.sight = { ...sink.sight, job: 'Ended', result: aResult(source.request.run, 'DestinationChanged', []) };
      continue;
    }
    if (sink.request.mode === 'update') {
      const answer = await to.gates.get(sink.request.run)?.().catch(onlyStorkError);
      if (answer?.state !== 'Go') continue;
    }
    const sent: CopiedVolume[] = [];
    const received: CopiedVolume[] = [];
    for (const [index, volume] of sink.request.volumes.entries()) {
      const content = from.world.contentOf(source.request.namespace, source.request.volumes[index]?.claim ?? '') ?? '?';
      const degraded = to.world.jobs.degraded.get(volume.name);
      const kept = degraded === undefined ? content : `${content}, not all set`;
      await to.world.write(sink.request.namespace, volume.claim, kept);
      sent.push({ name: volume.name, content });
      received.push({ name: volume.name, content: kept, degraded, sent: content });
    }
    source.sight = { ...source.sight, job: 'Ended', result: aResult(source.request.run, 'Complete', sent) };
    sink.sight = { ...sink.sight, job: 'Ended', result: aResult(sink.request.run, 'Complete', received) };
  }
}

/** What a mover that was killed while it applied an update leaves, and knows again. */
export const unfinishedContent = 'half of tw';

export const digestOf = (content: string | undefined): string => `sha256:${content}`;

interface CopiedVolume {
  readonly name: string;
  readonly content: string;
  readonly degraded?: Readonly<Record<string, number>> | undefined;
  readonly sent?: string | undefined;
}

export function aResult(run: string, outcome: MoverResult['outcome'], volumes: readonly CopiedVolume[]): MoverResult {
  return {
    version: 1,
    run,
    role: 'destination',
    outcome,
    code: outcome,
    message: outcome === 'Complete' ? 'all equal' : 'the volume was written since our last sync',
    retryable: false,
    volumes: volumes.map(({ name, content, degraded = {}, sent = content }) => ({
      name,
      digest: digestOf(content),
      sent: sent === content ? undefined : shortDigest(digestOf(sent)),
      files: 1,
      bytes: content.length,
      bytesRead: content.length,
      bytesSent: content.length,
      blocksSent: 1,
      warnings: {},
      degraded,
    })),
  };
}

/** The renderer makes what the API server takes; its type is looser than client-node's. */
function assertDefinition(rendered: { readonly spec: unknown }): Pick<CustomResourceDefinition, 'spec'> {
  return rendered as Pick<CustomResourceDefinition, 'spec'>;
}
