/**
 * One mover from start to result: runs its engine, starts over when the other mover was restarted, and turns every end into a
 * MoverResult. Never throws.
 */
import { renderError, StorkError } from '../../kube/errors.ts';
import { type MoverResult, type MoverVolumeResult, moverContractVersion } from './contract.ts';
import { type DestinationOptions, runDestination } from './destination-run.ts';
import { failForNow } from './mover-error.ts';
import { startsOver } from './session.ts';
import { runSource, type SourceOptions } from './source-run.ts';
import { Verdict } from './verdict.ts';

export type MoverOptions =
  | ({ readonly role: 'source' } & Omit<SourceOptions, 'instance'>)
  | ({ readonly role: 'destination' } & Omit<DestinationOptions, 'instance'>);

/** @param newInstance a new unique id on each call */
export async function runMover(options: MoverOptions, newInstance: () => string): Promise<MoverResult> {
  const base = { version: moverContractVersion, run: options.run, role: options.role } as const;
  try {
    const volumes = await runUntilDone(options, newInstance);
    return {
      ...base,
      outcome: 'Complete',
      code: 'Complete',
      message: 'Every volume was copied and verified',
      retryable: false,
      volumes,
    };
  } catch (error) {
    if (error instanceof Verdict) {
      const { outcome, code, message, scratchBytes } = error;
      return { ...base, outcome, code, message, scratchBytes, retryable: false, volumes: [] };
    }
    const { code, retryable } = error instanceof StorkError ? error : { code: 'MoverFault', retryable: true };
    return {
      ...base,
      outcome: 'Failed',
      code,
      message: renderError(error).slice(0, messageLimit),
      retryable,
      volumes: [],
    };
  }
}

const messageLimit = 2000;
const maxRestarts = 100;

async function runUntilDone(options: MoverOptions, newInstance: () => string): Promise<readonly MoverVolumeResult[]> {
  for (let restarts = 0; restarts < maxRestarts; restarts++) {
    try {
      const instance = newInstance();
      if (options.role === 'source') return await runSource({ ...options, instance });
      return await runDestination({ ...options, instance });
    } catch (error) {
      if (options.signal.aborted) failForNow('Stopped', 'The mover was asked to stop', error);
      if (!startsOver(error)) throw error;
    }
  }
  return failForNow('PeerKeepsRestarting', `The other mover was restarted ${maxRestarts} times`);
}
