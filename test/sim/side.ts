/** One cluster of the simulation: API server, storage, nodes with movers on them, an agent that may die. */

import { isMoverOf } from '../../agent/migration/open-runs.ts';
import { type FakeCluster, makeCluster } from '../../agent/migration/testing/two-clusters.ts';
import type { MoverPhase } from '../../agent/mover/contract.ts';
import { core } from '../../kube/client/core.ts';
import type { ManualClock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { createAgent, type Moment, type SimAgent } from './agent.ts';
import type { Chance } from './chance.ts';
import { createHolds, type SimHolds } from './holds.ts';
import type { SideName, SimLink } from './link.ts';
import { type Meeting, type MoverHost, runMover } from './mover.ts';
import { createNodes, type RunContainer, type SimNodes } from './nodes.ts';
import { aReport } from './runs.ts';

export interface SimSide {
  readonly name: SideName;
  readonly cluster: FakeCluster;
  readonly nodes: SimNodes;
  readonly agent: SimAgent;
  readonly holds: SimHolds;
}

/** A mover wrote to a volume. */
export interface MoverWrite {
  readonly side: SideName;
  readonly namespace: string;
  readonly claim: string;
  readonly volume: string;
  readonly run: string;
  readonly pod: string;
  readonly content: string;
}

export interface SimSideParts {
  readonly name: SideName;
  readonly clock: ManualClock;
  readonly chance: Chance;
  readonly link: () => SimLink;
  readonly log: Log;
  readonly meetingOf: (run: string) => Meeting;
  readonly onMoment: (moment: Moment) => void;
  readonly onMoverWrite: (write: MoverWrite) => void;
  readonly onBug: (error: unknown) => void;
}

export function createSide(parts: SimSideParts): SimSide {
  const { name, clock } = parts;
  const chance = parts.chance.fork(name);
  const holds = createHolds(clock);
  const cluster = makeCluster(clock, { onExec: (request) => holds.exec(request) });
  const agent = createAgent({ ...parts, side: name, cluster, chance: chance.fork('agent') });
  const marks = new Map<string, string>();
  const run: RunContainer = async ({ order, pod, staging, life }) => {
    const namespace = pod.metadata.namespace ?? '';
    const meeting = parts.meetingOf(order.run);
    meeting.isOpen.set(order.role, () => agent.process?.runs.find(order.run, order.role) !== undefined);
    const openRun = async () => {
      const found = agent.process?.runs.find(order.run, order.role);
      if (found === undefined) throw away();
      const { name: podName, uid = '' } = pod.metadata;
      const place = { id: order.run, role: order.role, namespace: found.namespace };
      const isOurs = await isMoverOf(cluster.client, { namespace, name: podName, uid }, place);
      if (isOurs) return found;
      throw new StorkError({ code: 'MoverRefused', message: 'the agent does not know this pod', retryable: true });
    };
    const host: MoverHost = {
      life,
      chance: chance.fork(`mover ${pod.metadata.name} ${clock.monotonicMs()}`),
      meeting,
      staging,
      read: (claim) => cluster.world.contentOf(namespace, claim),
      async write(claim, content) {
        life.mustLast();
        const volume = cluster.world.volumeOf(namespace, claim) ?? '';
        await cluster.world.write(namespace, claim, content);
        parts.onMoverWrite({
          ...{ side: name, namespace, claim, volume, run: order.run },
          ...{ pod: pod.metadata.name, content },
        });
      },
      markOf: (claim) => marks.get(cluster.world.volumeOf(namespace, claim) ?? ''),
      setMark(claim, run) {
        const volume = cluster.world.volumeOf(namespace, claim) ?? '';
        if (run === undefined) marks.delete(volume);
        else marks.set(volume, run);
      },
      stream() {
        const session = parts.link().session;
        const source = meeting.source;
        const areOpen = (['source', 'destination'] as const).every((role) => meeting.isOpen.get(role)?.() === true);
        if (session === undefined || source === undefined || source.life.isOver || !areOpen) return undefined;
        return `${session} ${source.startedAtMs}`;
      },
      nowMs: () => clock.monotonicMs(),
      report(phase: MoverPhase) {
        const found = agent.process?.runs.find(order.run, order.role);
        if (found !== undefined) found.report = aReport(order.run, order.role, phase);
      },
      async askGate() {
        const found = await openRun();
        await life.pause(chance.between(1, 20));
        const asked = agent.process;
        const answer = await found.gate().catch((error: unknown) => {
          throw asked?.life.isOver === true ? away() : error;
        });
        await life.pause(chance.between(1, 20));
        return answer;
      },
    };
    return await runMover(order, host);
  };
  const nodes = createNodes({ cluster, clock, chance: chance.fork('nodes'), run, onBug: parts.onBug });
  return { name, cluster, nodes, agent, holds };
}

/** A claim with a volume that holds something. */
export async function addClaim(
  { cluster }: SimSide,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  content: string,
  storageClassName = 'fast',
): Promise<void> {
  await cluster.client.create(core.persistentVolumeClaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace, labels: { app: namespace } },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
  });
  await cluster.world.settle();
  await cluster.world.write(namespace, name, content);
}

/** A pod of an application, which mounts the claims. */
export async function addPod(
  { cluster }: SimSide,
  namespace: string,
  name: string,
  claims: readonly string[],
): Promise<void> {
  await cluster.client.create(core.pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: namespace } },
    spec: {
      containers: [{ name: 'app' }],
      nodeName: 'n1',
      terminationGracePeriodSeconds: 2,
      volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
    },
  });
}

const away = () => new StorkError({ code: 'AgentAway', message: 'the agent does not answer', retryable: true });
