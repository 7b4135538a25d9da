/** Zeros of a raw device: looked for, and made where there are none. */
import { readSync } from 'node:fs';
import type { Syscalls } from '../../mover/syscalls.ts';
import type { RestoreAnswer, ZerosJob } from './restore-job.ts';
import { clearRange } from './write-files.ts';

/** @param buffer for reading; a range as long is cleared at once, so that little more than what differs is written */
export function clearZeros(
  { fd, offset, length, effect }: ZerosJob,
  buffer: Buffer,
  syscalls: Syscalls,
): Pick<RestoreAnswer, 'present' | 'bytesWritten'> {
  const end = offset + length;
  let differing = 0;
  for (let at = offset; at < end; at += buffer.length) {
    const size = Math.min(buffer.length, end - at);
    if (isZero(fd, at, buffer.subarray(0, size))) continue;
    differing += size;
    if (effect === 'clear') clearRange(fd, at, size, 'device', syscalls);
  }
  return { present: [[differing === 0]], bytesWritten: effect === 'clear' ? differing : 0 };
}

function isZero(fd: number, offset: number, into: Buffer): boolean {
  let done = 0;
  while (done < into.length) {
    const got = readSync(fd, into, done, into.length - done, offset + done);
    if (got === 0) return false;
    done += got;
  }
  // The first is zero, and each other is as the one before it.
  return into[0] === 0 && into.compare(into, 0, into.length - 1, 1, into.length) === 0;
}
