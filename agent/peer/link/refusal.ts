/**
 * What a peer is told when it isn't let in, and what its admin reads. Codes are stable; they are reasons of conditions.
 * Pure.
 */
import { StorkError } from '../../../kube/errors.ts';
import { fingerprintOf } from '../invitation.ts';

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** Refusals that pass by themselves or by somebody's act on the other cluster; the dialler asks again soon. */
export const passingRefusals: ReadonlySet<string> = new Set(['AwaitingConfirmation', 'NotReady']);

/** What admission needs to know of a pair. */
export interface AdmissionFacts {
  readonly peerPin: string;
  readonly admission: 'Admitted' | 'AwaitingConfirmation' | 'Revoked';
}

/** Whether a channel with this pin may carry that pair. The pin is looked at first: a stranger learns nothing. */
export function decideAdmission(pair: AdmissionFacts | undefined, peerPin: string): Refusal | 'Admit' {
  if (pair === undefined || pair.peerPin !== peerPin) {
    return {
      code: 'UnknownPair',
      message: 'This cluster knows no such pair for your key: it was revoked here or never made.',
    };
  }
  switch (pair.admission) {
    case 'Admitted':
      return 'Admit';
    case 'Revoked':
      return { code: 'PairRevoked', message: 'The pair was revoked.' };
    case 'AwaitingConfirmation':
      return {
        code: 'AwaitingConfirmation',
        message: `The accepting admin has not confirmed the fingerprint ${fingerprintOf(peerPin)} yet.`,
      };
    default:
      return pair.admission satisfies never;
  }
}

/** The refusal as an error on the side that was refused. */
export function refusalError(refusal: Refusal, endpoint: string): StorkError {
  return new StorkError({
    code: refusal.code,
    message: refusal.message,
    about: endpoint,
    retryable: passingRefusals.has(refusal.code),
  });
}
