/**
 * One line that says how far something is. On a terminal it is redrawn in place; in a pipe a plain line appears when the
 * milestone changes, and now and then with the details.
 */
import type { Terminal } from '../../kube/ambient.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Progress } from './describe-migration.ts';

export interface LiveLine {
  show(progress: Progress): void;
  /** Takes the line off the terminal before something else is printed. */
  clear(): void;
}

const repeatMs = 10_000;

export function createLiveLine(out: Terminal, clock: Clock): LiveLine {
  return out.isTTY === true ? onTerminal(out) : inPipe(out, clock);
}

function onTerminal(out: Terminal): LiveLine {
  let drawn: 'Yes' | 'No' = 'No';
  return {
    show({ milestone, detail }) {
      const line = detail === '' ? milestone : `${milestone}  ${detail}`;
      // A line that wraps could not be redrawn.
      out.write(`\r\u001b[K${line.slice(0, Math.max(20, (out.columns || 80) - 1))}`);
      drawn = 'Yes';
    },
    clear() {
      if (drawn === 'Yes') out.write('\r\u001b[K');
      drawn = 'No';
    },
  };
}

function inPipe(out: Terminal, clock: Clock): LiveLine {
  let told = '';
  let toldMs = clock.monotonicMs();
  return {
    show({ milestone, detail }) {
      const nowMs = clock.monotonicMs();
      if (milestone === told && (detail === '' || nowMs - toldMs < repeatMs)) return;
      const line = milestone === told ? `${milestone}  ${detail}` : milestone;
      told = milestone;
      toldMs = nowMs;
      out.write(`${line}\n`);
    },
    clear() {},
  };
}
