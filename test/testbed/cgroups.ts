/**
 * One cgroup holds every process of the bed, pods included, so that `down` finds
 * them all: nothing else is inherited as surely, and a SIGKILL of our programs
 * does not lose it.
 *
 * On cgroup v1 the `pids` hierarchy is used to find processes; runc makes the
 * pods' cgroups below the same path in every hierarchy. cgroup v2 is detected
 * and configured alike, but was not tried on a real v2 machine.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type CgroupVersion = 'v1' | 'v2';

const root = '/sys/fs/cgroup';
const bedName = 'stork-testbed';
const killLimitMs = 20_000;

export function detectCgroupVersion(): CgroupVersion {
  return existsSync(join(root, 'cgroup.controllers')) ? 'v2' : 'v1';
}

/** The kubelet's --cgroup-root for a node: below the bed's cgroup. */
export function podCgroupRoot(node: string): string {
  return `/${bedName}/pods-${node}`;
}

/** Creates the bed's cgroup. @returns the cgroup.procs file that the bed's daemons write themselves into. */
export async function ensureBedCgroup(): Promise<string> {
  const folder = join(bedFolder(), 'daemons');
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
  const folders = await listFolders(bedFolder());
  const texts = await Promise.all(
    folders.map((folder) => readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) => text.split('\n').filter(Boolean).map(Number));
}

/** Removes the empty cgroups in every hierarchy, deepest first. */
export async function removeBedCgroups(): Promise<void> {
  for (const hierarchy of await listHierarchies()) {
    const folders = await listFolders(join(hierarchy, bedName));
    for (const folder of [...folders].reverse()) await removeWhenEmpty(folder);
  }
}

export async function findLeftCgroups(): Promise<readonly string[]> {
  const hierarchies = await listHierarchies();
  return hierarchies.map((hierarchy) => join(hierarchy, bedName)).filter((folder) => existsSync(folder));
}

function bedFolder(): string {
  return detectCgroupVersion() === 'v2' ? join(root, bedName) : join(root, 'pids', bedName);
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
