/**
 * A lock between processes on this machine, as a file that names its holder.
 * A lock whose holder is dead is taken over; the holder is known by pid and
 * start time, because pids come back.
 */
import { readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 250;

/** @param onWait called once when another process holds the lock, with its pid. */
export async function withLock<T>(path: string, onWait: (pid: number) => void, action: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  let told = false;
  while (!(await tryTake(path))) {
    const holder = await readHolder(path);
    if (holder !== undefined && !isAlive(holder)) {
      await removeStale(path, holder);
      continue;
    }
    if (holder !== undefined && !told) {
      told = true;
      onWait(holder.pid);
    }
    await sleep(pollMs);
  }
  try {
    return await action();
  } finally {
    await rm(path, { force: true });
  }
}

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTicks: string;
}

export function isAlive(identity: ProcessIdentity): boolean {
  return readStartTicks(identity.pid) === identity.startTicks;
}

/** @returns undefined for a pid that is gone or a zombie. */
export function readStartTicks(pid: number): string | undefined {
  const stat = readIfPresent(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function tryTake(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(`${process.pid} ${readStartTicks(process.pid)}\n`);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const [pid, startTicks] = text.trim().split(' ');
  if (pid === undefined || startTicks === undefined) return undefined;
  return { pid: Number(pid), startTicks };
}

/** Renames first, so that of two takers only one removes, and it never removes a fresh lock unseen. */
async function removeStale(path: string, stale: ProcessIdentity): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  await rename(path, aside).catch(() => undefined);
  const moved = await readHolder(aside);
  if (moved !== undefined && isAlive(moved) && moved.pid !== stale.pid) await rename(aside, path);
  await rm(aside, { force: true });
}
