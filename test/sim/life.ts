/** A process that may be killed: what it awaits then rejects, and whatever it still does reaches nobody. */
import type { Clock } from '../../kube/clock.ts';
import { SimulatedCrash } from '../../kube/runtime/crash-everywhere.ts';

export interface Life {
  readonly signal: AbortSignal;
  readonly isOver: boolean;
  end(): void;
  /** @throws SimulatedCrash when it is over */
  mustLast(): void;
  /** @throws SimulatedCrash when it ends meanwhile */
  pause(ms: number): Promise<void>;
}

export function beginLife(clock: Clock): Life {
  const over = new AbortController();
  const crash = () => new SimulatedCrash('the process was killed');
  return {
    signal: over.signal,
    get isOver() {
      return over.signal.aborted;
    },
    end: () => over.abort(crash()),
    mustLast() {
      if (over.signal.aborted) throw crash();
    },
    async pause(ms) {
      if (over.signal.aborted) throw crash();
      await clock.sleep(ms, over.signal);
    },
  };
}
