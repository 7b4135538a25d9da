/** The two clusters for crash tests: agents that tell their effects, an application of 5 MB, and what may be killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../demo/commands.ts';
import { pairBoth } from '../demo/pairing.ts';
import { agentNamespace, type Bed, bed, eventually, removeNamespaces } from '../e2e/bed.ts';
import { deployFiller } from '../e2e/filler.ts';
import { killPod, type PodView, podsOf } from '../e2e/node-access.ts';
import { restoreLink } from '../testbed/link.ts';
import { type FollowedEffects, followEffects } from './follow-effects.ts';

export const victims = ['source agent', 'destination agent', 'source mover', 'destination mover'] as const;
export type CrashVictim = (typeof victims)[number];

export interface CrashBed extends AsyncDisposable {
  readonly clusters: Bed;
  readonly namespace: string;
  readonly followed: readonly FollowedEffects[];
}

const agentLabel = 'app.kubernetes.io/name=stork-agent';

export async function crashBed(namespace: string): Promise<CrashBed> {
  const clusters = await bed(['toolbox']);
  await restoreLink();
  await removeNamespaces(clusters, namespace);
  const sides = [clusters.a, clusters.b];
  await Promise.all(sides.map((side) => setLogLevel(side, 'STORK_LOG_LEVEL=debug')));
  await pairBoth(clusters.a, clusters.b);
  await deployFiller(clusters.a, namespace, { megabytes: 0 });
  await rewrite(clusters.a, namespace);
  const followed = sides.map(followEffects);
  await sleep(2000);
  return {
    clusters,
    namespace,
    followed,
    async [Symbol.asyncDispose]() {
      for (const one of followed) one[Symbol.dispose]();
      await restoreLink();
      await Promise.all(sides.map((side) => setLogLevel(side, 'STORK_LOG_LEVEL-')));
      await removeNamespaces(clusters, namespace);
    },
  };
}

/** 5 MB of new random bytes. */
export async function rewrite(side: Cluster, namespace: string): Promise<void> {
  const write = 'dd if=/dev/urandom of=/data/file-0 bs=1M count=5 2>/dev/null; sync';
  await side.exec(namespace, 'deployment/filler', ['sh', '-ec', write]);
}

async function setLogLevel(side: Cluster, setting: string): Promise<void> {
  await side.kubectl(['-n', agentNamespace, 'set', 'env', 'deployment/stork-agent', setting]);
  await agentsAreUp(side);
}

async function agentsAreUp(side: Cluster): Promise<void> {
  await side.kubectl(['-n', agentNamespace, 'rollout', 'status', 'deployment/stork-agent', '--timeout=120s']);
}

/** A new pod, so that the kubelet does not hold a kill against the next one and makes it wait; until the pair is Ready again. */
export async function renewAgent(clusters: Bed, side: Cluster): Promise<void> {
  await side.kubectl(['-n', agentNamespace, 'rollout', 'restart', 'deployment/stork-agent']);
  await agentsAreUp(side);
  await pairBoth(clusters.a, clusters.b);
}

export const sideOf = ({ a, b }: Bed, victim: CrashVictim): Cluster => (victim.startsWith('source') ? a : b);

/** SIGKILL. Where there is no mover at that moment, its side's agent dies in its place. Resolves to what was hit. */
export async function killNow(clusters: Bed, victim: CrashVictim): Promise<string> {
  const side = sideOf(clusters, victim);
  if (victim.endsWith('mover')) {
    const prefix = victim === 'source mover' ? 'stork-read-' : 'stork-write-';
    const movers = await podsOf(side, 'stork.libopenstorage.org/run');
    const mover = movers.find(({ metadata }) => (metadata.labels?.[jobNameLabel] ?? '').startsWith(prefix));
    if (mover !== undefined && (await killPod(mover)) > 0) return `killed the ${victim}`;
  }
  const agent = async () => {
    const pod = (await podsOf(side, agentLabel)).find(isRunning);
    return pod !== undefined && (await killPod(pod)) > 0 ? pod : undefined;
  };
  await eventually(`an agent on ${side.context}`, agent, 20_000);
  return `killed the ${victim.replace('mover', 'agent')}`;
}

const jobNameLabel = 'batch.kubernetes.io/job-name';
const isRunning = ({ status }: PodView): boolean => status.containerStatuses?.[0]?.state?.running !== undefined;
