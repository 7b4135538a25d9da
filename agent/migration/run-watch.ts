import type { MoverReport } from '../mover/contract.ts';

/** A run as this side's agent sees it. */
export interface RunWatch {
  /** The newest one of this side's mover. */
  readonly report: MoverReport | undefined;
  /** `bytesDone` per second over the last reports; 0 while unknown. */
  readonly bytesPerSecond: number;
}
