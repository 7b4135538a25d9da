/**
 * The nodes of a cluster: the Job controller, kubelets, and the containers of movers. A node may reboot (its pods' emptyDirs
 * stay) or be lost (its pods are forgotten after a while, with all they had).
 */
import type { FakeCluster } from '../../agent/migration/testing/two-clusters.ts';
import { type MoverResult, type MoverRole, moverExitCode, renderMoverResult } from '../../agent/mover/contract.ts';
import { core, type Pod } from '../../kube/client/core.ts';
import type { ManualClock } from '../../kube/clock.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import type { Chance } from './chance.ts';
import { createJobController } from './job-controller.ts';
import { beginLife, type Life } from './life.ts';
import { createMounts } from './mounts.ts';
import type { MoverOrder, Staging } from './mover.ts';
import { claimsOf, orderOf } from './mover-order.ts';

export interface SimNodes {
  /** What kubelets and the Job controller do about what they see now. */
  tick(): Promise<void>;
  /** SIGKILL to one mover process of that role, if there is one. */
  killMover(role: MoverRole): void;
  /** Power loss of a node (the one with a mover on it, if any); the pods that ran on it. */
  fail(how: 'Reboot' | 'Loss'): readonly Pod[];
  /** Pods of users that run on a node that is up, and mount the claim. */
  usersOf(namespace: string, claim: string): readonly Pod[];
  /** Containers of movers that run now. */
  movers(): readonly RunningMover[];
  /** What destination movers have staged, where a new container of their pod will find it. */
  stagings(): readonly { readonly claims: readonly string[]; readonly staging: Staging }[];
}

export interface RunningMover {
  readonly order: MoverOrder;
  readonly pod: Pod;
  readonly life: Life;
}

export type RunContainer = (of: {
  readonly order: MoverOrder;
  readonly pod: Pod;
  readonly staging: Staging;
  readonly life: Life;
}) => Promise<MoverResult>;

export interface SimNodesParts {
  readonly cluster: FakeCluster;
  readonly clock: ManualClock;
  readonly chance: Chance;
  readonly run: RunContainer;
  readonly onBug: (error: unknown) => void;
}

interface Node {
  readonly name: string;
  downUntilMs: number;
  lost: 'Yes' | 'No';
}

interface Container {
  readonly order: MoverOrder;
  readonly node: string;
  staging: Staging;
  life: Life | undefined;
  startAtMs: number;
  restarts: number;
  ended: Ending | undefined;
}

type Ending = { readonly exitCode: number; readonly message: string };

/** Until the pods of a node that does not come back are forgotten. */
const forgetMs = 60_000;
/** Longer contents than this do not fit an emptyDir here. */
export const emptyDirBytes = 24;

export function createNodes(parts: SimNodesParts): SimNodes {
  const { cluster, clock, chance } = parts;
  const { client } = cluster;
  const nodes: Node[] = ['n1', 'n2'].map((name) => ({ name, downUntilMs: 0, lost: 'No' }));
  const containers = new Map<string, Container>();
  /** Staging in claims outlives pods. By the claim's uid. */
  const scratches = new Map<string, Staging>();
  const mounts = createMounts(cluster);
  let pods: readonly Pod[] = [];
  const isUp = (name: string | undefined) =>
    nodes.some((node) => node.name === name && node.lost === 'No' && node.downUntilMs <= clock.monotonicMs());

  const jobs = createJobController({
    client,
    restartsOf: (pod) => containers.get(pod.metadata.uid ?? '')?.restarts ?? 0,
    chooseNode() {
      const up = nodes.filter(({ name }) => isUp(name));
      return up.length === 0 ? undefined : chance.oneOf(up).name;
    },
  });
  const setStatus = async (pod: Pod, status: object): Promise<void> => {
    await client.patch(core.pods, pod.metadata, { type: 'merge', body: { status } }, { subresource: 'status' });
  };
  const runPod = async (pod: Pod): Promise<void> => {
    const uid = pod.metadata.uid ?? '';
    if (pod.metadata.deletionTimestamp !== undefined) {
      containers.get(uid)?.life?.end();
      containers.delete(uid);
      mounts.unmount(pod);
      await client.delete(core.pods, pod.metadata, { gracePeriodSeconds: 0 });
      return;
    }
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return mounts.unmount(pod);
    if (!(await mounts.mount(pod))) return;
    const order = orderOf(pod);
    if (pod.status?.phase !== 'Running') await setStatus(pod, runningStatus(pod, clock.now()));
    if (order === undefined) return;
    const container = containers.get(uid) ?? newContainer(pod, order);
    containers.set(uid, container);
    await runContainer(pod, container);
  };
  const newContainer = (pod: Pod, order: MoverOrder): Container => {
    const staging = stagingFor(pod, scratches, cluster);
    const node = pod.spec?.nodeName ?? '';
    return { order, node, staging, life: undefined, startAtMs: 0, restarts: 0, ended: undefined };
  };
  const runContainer = async (pod: Pod, container: Container): Promise<void> => {
    if (container.ended !== undefined) {
      const { exitCode, message } = container.ended;
      const terminated = { exitCode, message, reason: exitCode === 0 ? 'Completed' : 'Error' };
      container.ended = undefined;
      container.life = undefined;
      if (exitCode === 0)
        return await setStatus(pod, {
          phase: 'Succeeded',
          containerStatuses: [statusOf(container, { state: { terminated } })],
        });
      container.restarts += 1;
      container.startAtMs = clock.monotonicMs() + chance.between(500, 10_000);
      return await setStatus(pod, { containerStatuses: [statusOf(container, { lastState: { terminated } })] });
    }
    if (container.life !== undefined || clock.monotonicMs() < container.startAtMs) return;
    startContainer(pod, container);
  };
  const startContainer = (pod: Pod, container: Container): void => {
    const life = beginLife(clock);
    container.life = life;
    const end = (ending: Ending) => {
      if (container.life === life) container.ended = ending;
    };
    life.signal.addEventListener('abort', () => end({ exitCode: 137, message: '' }));
    parts.run({ order: container.order, pod, staging: container.staging, life }).then(
      (result) => end({ exitCode: moverExitCode(result), message: renderMoverResult(result) }),
      (error: unknown) => {
        if (!life.isOver) parts.onBug(error);
      },
    );
  };
  const forgetLost = async (node: Node): Promise<void> => {
    if (node.downUntilMs === 0 || node.downUntilMs > clock.monotonicMs()) return;
    node.downUntilMs = 0;
    if (node.lost === 'No') return;
    for (const pod of pods.filter(({ spec }) => spec?.nodeName === node.name)) {
      containers.delete(pod.metadata.uid ?? '');
      mounts.unmount(pod);
      await client.delete(core.pods, pod.metadata, { gracePeriodSeconds: 0 });
    }
    // Another machine takes its place and its name.
    node.lost = 'No';
  };
  return {
    async tick() {
      pods = await all(client.list(core.pods));
      for (const node of nodes) await forgetLost(node);
      for await (const job of client.list(core.jobs)) await jobs.control(job, pods).catch(onlyRaces);
      pods = await all(client.list(core.pods));
      mounts.forgetOthers(pods);
      for (const pod of pods) if (isUp(pod.spec?.nodeName)) await runPod(pod).catch(onlyRaces);
    },
    killMover(role) {
      const victim = [...containers.values()].find(({ order, life }) => order.role === role && life?.isOver === false);
      victim?.life?.end();
    },
    fail(how) {
      const busy = [...containers.values()].find(({ life }) => life?.isOver === false);
      const node = nodes.find(({ name }) => name === busy?.node) ?? chance.oneOf(nodes);
      node.downUntilMs = clock.monotonicMs() + (how === 'Loss' ? forgetMs : chance.between(3000, 30_000));
      node.lost = how === 'Loss' ? 'Yes' : 'No';
      for (const container of containers.values()) if (container.node === node.name) container.life?.end();
      return pods.filter(({ spec }) => spec?.nodeName === node.name);
    },
    usersOf: (namespace, claim) =>
      pods.filter(
        (pod) =>
          pod.metadata.namespace === namespace &&
          pod.status?.phase === 'Running' &&
          orderOf(pod) === undefined &&
          isUp(pod.spec?.nodeName) &&
          claimsOf(pod).includes(claim),
      ),
    movers: () =>
      pods.flatMap((pod) => {
        const container = containers.get(pod.metadata.uid ?? '');
        if (container?.life === undefined || container.life.isOver) return [];
        return [{ order: container.order, pod, life: container.life }];
      }),
    stagings: () =>
      [...containers.values()]
        .filter(({ order }) => order.role === 'destination')
        .map(({ order, staging }) => ({ claims: order.volumes.map(({ claim }) => claim), staging })),
  };
}

async function all<T>(list: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const one of list) found.push(one);
  return found;
}

/** What is acted on may have changed or gone since it was read; the next tick sees it. */
function onlyRaces(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error;
}

function runningStatus({ spec }: Pod, now: Date) {
  const container = { image: '', imageID: '', ready: true, restartCount: 0, state: { running: { startedAt: now } } };
  return { phase: 'Running', containerStatuses: (spec?.containers ?? []).map(({ name }) => ({ name, ...container })) };
}

function statusOf(container: Container, states: object) {
  return { name: 'mover', image: '', imageID: '', ready: false, restartCount: container.restarts, ...states };
}

function emptyStaging(limitBytes: number): Staging {
  return { limitBytes, state: 'Receiving', content: new Map() };
}

function stagingFor(pod: Pod, scratches: Map<string, Staging>, cluster: FakeCluster): Staging {
  const scratch = pod.spec?.volumes?.find(({ name }) => name === 'scratch')?.persistentVolumeClaim?.claimName;
  if (scratch === undefined) return emptyStaging(emptyDirBytes);
  const volume = cluster.world.volumeOf(pod.metadata.namespace ?? '', scratch) ?? '';
  const staging = scratches.get(volume) ?? emptyStaging(Number.POSITIVE_INFINITY);
  scratches.set(volume, staging);
  return staging;
}
