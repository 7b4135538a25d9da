/**
 * One cluster's agent: the real migration feature with its controllers, informers and records, in a process that is killed
 * and started again. Each of its calls takes time; each of its effects is told as a moment, at which something may be killed.
 */
import { moverJob } from '../../agent/compose-leader.ts';
import { createMigrationFeature } from '../../agent/migration/migration-controllers.ts';
import { createMoverJobs } from '../../agent/migration/mover-jobs.ts';
import { agentNamespace, agentServices, type FakeCluster } from '../../agent/migration/testing/two-clusters.ts';
import type { Peer } from '../../agent/peer/peer.ts';
import { core } from '../../kube/client/core.ts';
import type { ManualClock } from '../../kube/clock.ts';
import { type Around, type FaultyClient, faulty, writeVerbs } from '../../kube/fake/faulty.ts';
import type { Log } from '../../kube/log.ts';
import type { EffectRecorder } from '../../kube/runtime/effects.ts';
import { informerSet } from '../../kube/runtime/informer-set.ts';
import type { Chance } from './chance.ts';
import { beginLife, type Life } from './life.ts';
import type { LinkEnd, SideName, SimLink } from './link.ts';
import { createRuns, type SimRuns } from './runs.ts';

/** `Before` an effect, `During` it (a first write happened, its answer did not come), `After` it (nobody heard of it). */
export type Timing = 'Before' | 'During' | 'After';

export interface Moment {
  readonly side: SideName;
  readonly effect: string;
  readonly timing: Timing;
}

export interface AgentProcess extends LinkEnd {
  readonly runs: SimRuns;
}

export interface SimAgent {
  readonly process: AgentProcess | undefined;
  /** SIGKILL; its pod starts it again after a while. */
  kill(): void;
  /** For good. */
  stop(): void;
}

export interface SimAgentParts {
  readonly side: SideName;
  readonly cluster: FakeCluster;
  readonly clock: ManualClock;
  readonly chance: Chance;
  readonly link: () => SimLink;
  readonly log: Log;
  readonly onMoment: (moment: Moment) => void;
  /** What an agent's process threw that is no way to end: a bug. */
  readonly onBug: (error: unknown) => void;
}

export function createAgent(parts: SimAgentParts): SimAgent {
  const { clock, chance } = parts;
  let process: AgentProcess | undefined;
  let isStopped = false;
  const start = () => {
    if (isStopped) return;
    process = startProcess(parts);
    parts.link().reconnect();
  };
  void clock.sleep(0).then(start);
  return {
    get process() {
      return process;
    },
    stop() {
      isStopped = true;
      process?.life.end();
    },
    kill() {
      if (process === undefined) return;
      process.life.end();
      process = undefined;
      parts.link().reconnect();
      void clock.sleep(chance.between(500, 20_000)).then(start);
    },
  };
}

function startProcess(parts: SimAgentParts): AgentProcess {
  const { side, cluster, clock, chance, log } = parts;
  const life = beginLife(clock);
  const effects = effectMoments(parts, life);
  const client = slowClient(cluster, { life, chance, wrote: effects.wrote });
  const runs = createRuns();
  const peerOf = (): Peer | undefined => {
    const link = parts.link();
    return link.isRevoked ? undefined : link.peer(side, end);
  };
  const tls = { authority: 'CA' };
  const services = agentServices({
    cluster: side,
    client,
    clock,
    log,
    world: cluster.world,
    moverJobs: createMoverJobs(client, (request) =>
      moverJob({ image: 'stork', namespace: agentNamespace }, tls, request),
    ),
    peers: { find: async () => peerOf(), findById: peerOf },
    sourceRuns: runs.source,
    destinationRuns: runs.destination,
    async scaleDown(_, namespace, pods) {
      for (const name of pods) await client.delete(core.pods, { namespace, name });
    },
    onStorageChange(moment) {
      life.mustLast();
      if (moment === 'After') effects.wrote();
      life.mustLast();
    },
    effects,
  });
  const random = () => chance.next();
  const informers = informerSet({ client, clock, random, log });
  const environment = { client, clock, log, random, informers, effects };
  const feature = createMigrationFeature({ ...services, environment });
  const end: AgentProcess = { life, routes: feature.routes, answered: effects.wrote, runs };
  life.signal.addEventListener('abort', () => void informers[Symbol.asyncDispose]());
  feature.run(life.signal).catch((error: unknown) => {
    if (!life.isOver) parts.onBug(error);
  });
  return end;
}

/** Tells moments; a process that was killed at one goes no further. */
function effectMoments({ side, onMoment }: SimAgentParts, life: Life): EffectRecorder & { wrote(): void } {
  const underWay: string[] = [];
  const tell = (effect: string, timing: Timing) => {
    if (!life.isOver) onMoment({ side, effect, timing });
    life.mustLast();
  };
  const forget = (effect: string) => {
    const at = underWay.indexOf(effect);
    if (at >= 0) underWay.splice(at, 1);
  };
  return {
    before(effect) {
      tell(effect, 'Before');
      underWay.push(effect);
    },
    wrote() {
      const effect = underWay.shift();
      if (effect !== undefined) tell(effect, 'During');
    },
    after(effect) {
      forget(effect);
      tell(effect, 'After');
    },
  };
}

/** A connection to the API server: each call takes a while before or after it happens, and ends with its process. */
function slowClient(
  cluster: FakeCluster,
  { life, chance, wrote }: { readonly life: Life; readonly chance: Chance; readonly wrote: () => void },
): FaultyClient {
  const around: Around = async (verb, call) => {
    const ms = chance.between(1, 12);
    const early = chance.happens(0.5);
    if (early) await life.pause(ms);
    life.mustLast();
    const result = await call();
    if (writeVerbs.has(verb)) wrote();
    if (!early) await life.pause(ms);
    life.mustLast();
    return result;
  };
  return faulty(cluster.server.client(), around);
}
