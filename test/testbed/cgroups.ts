/**
 * Finds every process of the bed by its cgroup: nothing else is inherited as
 * surely, and a SIGKILL of our programs does not lose it. The bed's programs
 * share one cgroup; a container has /k8s.io/ID, whose id containerd's folder
 * on the node's disk still knows when everything is dead.
 *
 * On cgroup v1 the `pids` hierarchy is used to find processes; runc makes the
 * containers' cgroups below the same path in every hierarchy. cgroup v2 is
 * detected and configured alike, but was not tried on a real v2 machine.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPlaces, nodePlace, thisBed } from './places.ts';
import { listNodes } from './plan.ts';

export type CgroupVersion = 'v1' | 'v2';

const root = '/sys/fs/cgroup';
/** Where containerd puts containers when the kubelet names no parent, as with cgroupsPerQOS off. */
const containerParent = 'k8s.io';
/** A process whose mounts are written back first, on a busy disk, takes its time to die. */
const killLimitMs = 120_000;

export function detectCgroupVersion(): CgroupVersion {
  return existsSync(join(root, 'cgroup.controllers')) ? 'v2' : 'v1';
}

/** Creates the bed's cgroup. @returns the cgroup.procs file that the bed's daemons write themselves into. */
export async function ensureBedCgroup(): Promise<string> {
  const folder = join(processHierarchy(), thisBed().name, 'daemons');
  await mkdir(folder, { recursive: true });
  return join(folder, 'cgroup.procs');
}

/** Kills every process of the bed, and what they start meanwhile, until none is left. Idempotent. */
export async function killBedCgroup(): Promise<void> {
  const deadline = Date.now() + killLimitMs;
  for (;;) {
    const pids = await listBedProcesses();
    if (pids.length === 0) return;
    for (const pid of pids) killIfPresent(pid);
    if (Date.now() > deadline) throw new Error(`processes ${pids.join(', ')} of the test bed do not die`);
    await sleep(50);
  }
}

export async function listBedProcesses(): Promise<readonly number[]> {
  const folders = await listOwnFolders(processHierarchy());
  const texts = await Promise.all(
    folders.map((folder) => readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) => text.split('\n').filter(Boolean).map(Number));
}

/** Removes the empty cgroups in every hierarchy, deepest first. Before the state folder goes. */
export async function removeBedCgroups(): Promise<void> {
  for (const hierarchy of await listHierarchies()) {
    const folders = await listOwnFolders(hierarchy);
    for (const folder of folders.toReversed()) await removeWhenEmpty(folder);
    // Shared by all beds, and by a real node on this machine: goes with the last container.
    await rmdir(join(hierarchy, containerParent)).catch(() => {});
  }
}

export async function findLeftCgroups(): Promise<readonly string[]> {
  const found = await Promise.all((await listHierarchies()).map(listOwnFolders));
  return found.flat();
}

function processHierarchy(): string {
  return detectCgroupVersion() === 'v2' ? root : join(root, 'pids');
}

async function listOwnFolders(hierarchy: string): Promise<readonly string[]> {
  const containers = (await listContainers()).map((id) => join(hierarchy, containerParent, id));
  const lists = await Promise.all([join(hierarchy, thisBed().name), ...containers].map(listFolders));
  return lists.flat();
}

/** Ids that containerd has written to the nodes' disks. */
async function listContainers(): Promise<readonly string[]> {
  const nodes = listNodes(thisBed()).map((node) => nodePlace(findPlaces(), node.name));
  const tasks = nodes.map((node) => join(node, 'containerd', 'io.containerd.runtime.v2.task', 'k8s.io'));
  return (await Promise.all(tasks.map((folder) => readdir(folder).catch(() => [])))).flat();
}

async function listHierarchies(): Promise<readonly string[]> {
  if (detectCgroupVersion() === 'v2') return [root];
  const entries = await readdir(root, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(root, entry.name));
}

/** The folder and all below it, parents first; empty when it is not there. */
async function listFolders(folder: string): Promise<readonly string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  return [folder, ...below.sort()];
}

/** The kernel frees a cgroup a moment after its last process died. */
async function removeWhenEmpty(folder: string): Promise<void> {
  for (let attempt = 0; attempt < 40 && existsSync(folder); attempt++) {
    try {
      await rmdir(folder);
    } catch {
      await sleep(25);
    }
  }
}

function killIfPresent(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
