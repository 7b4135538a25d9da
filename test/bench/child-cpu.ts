/** The CPU that this process' children and their children have used: API servers that a benchmark started. */
import { readdir, readFile } from 'node:fs/promises';

/** USER_HZ: what /proc counts in, on every Linux that we run on. */
const ticksPerSecond = 100;

/** Seconds of those that still run. */
export async function childCpuSeconds(of: number = process.pid): Promise<number> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = (await Promise.all(names.map(readProcess))).flatMap((one) => one ?? []);
  const descendants = new Set([of]);
  let seconds = 0;
  // A child's number is greater than its parent's, save where numbers began anew: benchmarks don't run that long.
  for (const { pid, parent, ticks } of found.toSorted((a, b) => a.pid - b.pid)) {
    if (!descendants.has(parent)) continue;
    descendants.add(pid);
    seconds += ticks / ticksPerSecond;
  }
  return seconds;
}

async function readProcess(name: string) {
  const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined);
  // After the program's name, which may hold anything: state, parent, …, utime (14th), stime (15th).
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined) return undefined;
  return { pid: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}
