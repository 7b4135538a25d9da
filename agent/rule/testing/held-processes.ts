/** The shells that hold commands left on this machine: runner, watchdog and waiter of each name its files. */
import { readdirSync, readFileSync } from 'node:fs';

/** @param text in their command lines: the beginning of a file's path or of a key */
export const heldProcesses = (text: string): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandLine(name).includes(text))
    .map(Number)
    .filter((pid) => pid !== process.pid);

/** After a test that failed in mid-hold: nothing of it stays. @param text as for `heldProcesses` */
export function endHeld(text: string): void {
  for (const pid of heldProcesses(text))
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Has ended.
    }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
