/**
 * The test bed's nodes seen from the host, as whoever owns the machine sees them: a node's files through its holder's
 * root, a pod's processes by their container's cgroup. The product never does this; tests do, to look and to kill.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../demo/commands.ts';
import { findDaemon } from '../testbed/daemons.ts';
import { volumesFolder } from '../testbed/node-configs.ts';
import { findPlaces, thisBed } from '../testbed/places.ts';

export interface PodView {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly podIP?: string;
    readonly containerStatuses?: readonly {
      readonly containerID?: string;
      readonly restartCount: number;
      readonly state?: { readonly running?: object };
    }[];
  };
}

export async function holderPid(node: string): Promise<number> {
  const holder = await findDaemon(findPlaces().state, `${node}-holder`);
  if (holder === undefined) throw new Error(`node ${node} does not run`);
  return holder.pid;
}

/** A path of the node's own mount namespace, as the host can open it. */
export async function nodePath(node: string, path: string): Promise<string> {
  return `/proc/${await holderPid(node)}/root${path}`;
}

/** The CSI driver's folder on each node of this bed. */
export const bedVolumes = (): string => join(volumesFolder, thisBed().name);

/** Where the CSI driver of the test bed keeps a volume or a snapshot, by its handle `NODE:ID`. */
export async function storagePath(kind: 'volumes' | 'snapshots', handle: string): Promise<string> {
  const [node = ''] = handle.split(':');
  return await nodePath(node, join(bedVolumes(), kind, handle.replaceAll(':', '_')));
}

/** Those that are not ending: an agent that was replaced answers admission for 10 s more, and leads no longer. */
export async function podsOf(side: Cluster, selector: string): Promise<readonly PodView[]> {
  const { items } = await side.get<{ items: readonly PodView[] }>(['pods', '-A', '-l', selector]);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Host pids of the pod's running container, the oldest first. */
export async function processesOf(pod: PodView): Promise<readonly number[]> {
  const running = pod.status.containerStatuses?.filter(({ state }) => state?.running !== undefined) ?? [];
  const ids = running.map(({ containerID = '' }) => containerID.replace('containerd://', '')).filter(Boolean);
  const found: number[] = [];
  for (const pid of await hostPids()) {
    const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    if (ids.some((id) => cgroups.includes(id))) found.push(pid);
  }
  return found.sort((a, b) => a - b);
}

/** SIGKILL from outside: the container gets no chance to say goodbye. Resolves to how many processes it hit. */
export async function killPod(pod: PodView): Promise<number> {
  const pids = await processesOf(pod);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It went with its parent.
    }
  }
  return pids.length;
}

export async function hostPids(): Promise<readonly number[]> {
  return (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
}

/** A process's arguments as anybody on the machine can read them. */
export async function commandLine(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.replaceAll('\0', ' ');
}
