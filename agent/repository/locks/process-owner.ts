/** Who we are, for locks: host, user, process id and the space in which that id means something. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import type { ProcessNeighbours } from './decide-lock.ts';

export interface LockOwner extends ProcessNeighbours {
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
}

/** Of this process. Where /proc doesn't tell, the space is '' and only age makes our locks stale. */
export function processOwner(): LockOwner {
  return {
    hostname: hostname(),
    username: readQuietly(() => userInfo().username),
    pid: process.pid,
    pidSpace: readQuietly(() => {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
    }),
    isAlive: isProcessAlive,
  };
}

function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function readQuietly(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
