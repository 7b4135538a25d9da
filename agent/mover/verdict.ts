/** An answer that ends a run without being a failure: the volume wasn't touched, and the agent decides what comes next. */
import { StorkError } from '../../kube/errors.ts';
import type { MoverOutcome } from './contract.ts';

export class Verdict extends StorkError {
  override readonly name = 'Verdict';
  readonly outcome: Exclude<MoverOutcome, 'Complete' | 'Failed'>;
  readonly scratchBytes: number | undefined;

  constructor(outcome: Verdict['outcome'], message: string, scratchBytes?: number) {
    super({ code: outcome, message });
    this.outcome = outcome;
    this.scratchBytes = scratchBytes;
  }
}
