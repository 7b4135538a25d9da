/** The two clusters for crash tests: agents that tell their effects, an application of 5 MB, and what may be killed. */
import { readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../demo/commands.ts';
import { pairBoth } from '../demo/pairing.ts';
import { agentNamespace, type Bed, bed, removeNamespaces } from '../e2e/bed.ts';
import { deployFiller } from '../e2e/filler.ts';
import { commandLine, holderPid, hostPids, type PodView, podsOf, processesOf } from '../e2e/node-access.ts';
import { restoreLink } from '../testbed/link.ts';
import { thisBed } from '../testbed/places.ts';
import { listNodes } from '../testbed/plan.ts';
import { type FollowedEffects, followEffects } from './follow-effects.ts';

export const victims = ['source agent', 'destination agent', 'source mover', 'destination mover'] as const;
export type CrashVictim = (typeof victims)[number];

export interface CrashBed extends AsyncDisposable {
  readonly clusters: Bed;
  readonly namespace: string;
  readonly followed: readonly FollowedEffects[];
  /** What the last run left: where it began from is the next one's care. */
  readonly left: {
    /** Agents that were killed, and need a new pod. */
    readonly killed: Set<Cluster>;
    /** Whether the destination has a copy, and whether it runs. */
    there: 'Unknown' | 'Stopped' | 'Started';
  };
}

const agentLabel = 'app.kubernetes.io/name=stork-agent';
export const holdRule = 'hold';
/** Of the hold, after which the application goes on by itself. */
export const deadManSeconds = 120;

export async function crashBed(namespace: string): Promise<CrashBed> {
  const clusters = await bed(['toolbox']);
  await restoreLink();
  await removeNamespaces(clusters, namespace);
  const sides = [clusters.a, clusters.b];
  await Promise.all(sides.map((side) => setLogLevel(side, 'STORK_LOG_LEVEL=debug')));
  await pairBoth(clusters.a, clusters.b);
  await deployFiller(clusters.a, namespace, { megabytes: 0 });
  await clusters.a.apply(renderRule(namespace));
  await rewrite(clusters.a, namespace);
  const followed = sides.map(followEffects);
  return {
    clusters,
    namespace,
    followed,
    left: { killed: new Set(), there: 'Unknown' },
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

/** A new pod, so that the kubelet does not hold a kill against the next one and makes it wait. */
export async function renewAgents({ clusters, left }: CrashBed): Promise<void> {
  if (left.killed.size === 0) return;
  const renew = async (side: Cluster) => {
    // Time enough to give up the lease; admission needs no grace here.
    await side.kubectl(['-n', agentNamespace, 'delete', 'pod', '-l', agentLabel, '--wait', '--grace-period=3']);
    await agentsAreUp(side);
  };
  await Promise.all([...left.killed].map(renew));
  left.killed.clear();
  await pairBoth(clusters.a, clusters.b);
}

export const sideOf = ({ a, b }: Bed, victim: CrashVictim): Cluster => (victim.startsWith('source') ? a : b);

/** Whether a mover is still to come, so that its kill is worth waiting for. */
export type MoverIs = 'ToCome' | 'Over';

/**
 * Finds the victim's agent beforehand, so that the kill comes at once. The kill is SIGKILL; a mover that is still to come is waited
 * for, and where there is none any more, its side's agent dies in its place. Resolves to what was hit.
 */
export async function aimAt(
  { clusters, left }: CrashBed,
  victim: CrashVictim,
  mover: MoverIs,
): Promise<() => Promise<string>> {
  const side = sideOf(clusters, victim);
  const agents = (await Promise.all((await podsOf(side, agentLabel)).filter(isRunning).map(processesOf))).flat();
  if (agents.length === 0) throw new Error(`no agent runs on ${side.context}`);
  const role = /^(source|destination) mover$/.exec(victim)?.[1];
  return async () => {
    if (role !== undefined && (await killMover(role, mover)) === 'Killed') return `killed the ${victim}`;
    left.killed.add(side);
    for (const pid of agents) process.kill(pid, 'SIGKILL');
    return `killed the ${victim.replace('mover', 'agent')}`;
  };
}

const moverWaitMs = 30_000;

/** Found among the processes of the bed's nodes, since a mover of 5 MB lives for a second or two. */
async function killMover(role: string, mover: MoverIs): Promise<'Killed' | 'Absent'> {
  const deadline = Date.now() + (mover === 'ToCome' ? moverWaitMs : 0);
  const nodes = await Promise.all(listNodes(thisBed()).map(({ name }) => holderPid(name)));
  const mounts = new Set(await Promise.all(nodes.map(mountsOf)));
  do {
    for (const pid of await hostPids())
      if ((await commandLine(pid)).includes(` --role ${role} `) && mounts.has(await mountsOf(await parentOf(pid)))) {
        process.kill(pid, 'SIGKILL');
        return 'Killed';
      }
    await sleep(20);
  } while (Date.now() < deadline);
  return 'Absent';
}

/** A container's parent, its shim, sees the files of its node. */
const mountsOf = async (pid: number): Promise<string> => await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
}

const isRunning = ({ status }: PodView): boolean => status.containerStatuses?.[0]?.state?.running !== undefined;

/** It writes down when it began to hold and when it was let go: /tmp/holds of the pod. */
const renderRule = (namespace: string): string => `apiVersion: stork.libopenstorage.org/v1alpha1
kind: Rule
metadata: { name: ${holdRule}, namespace: ${namespace} }
rules:
  - podSelector: { app: filler }
    actions:
      - type: command
        background: true
        timeoutSeconds: ${deadManSeconds}
        value: |
          echo "$(date +%s) held by $$" >> /tmp/holds
          \${WAIT_CMD}
          echo "$(date +%s) let go by $$" >> /tmp/holds
`;
