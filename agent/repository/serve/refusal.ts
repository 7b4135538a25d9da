/** What a client is told when its request failed: a status, and words that hold nothing of ours but names. Pure. */
import { StorkError } from '../../../kube/errors.ts';

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly retryAfterS?: number;
  /** For our own log only. */
  readonly error?: unknown;
}

const statuses: Readonly<Record<string, number>> = {
  AppendOnly: 403,
  BodyCutOff: 400,
  BodyTooLarge: 413,
  DigestWrong: 400,
  ObjectExists: 409,
  ObjectMissing: 404,
  ObjectNameInvalid: 400,
  ObjectTooShort: 416,
  StoreFull: 507,
};

export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof StorkError)) return { status: 500, message: 'it failed here', error };
  const status = statuses[error.code];
  if (status !== undefined) return { status, message: error.message };
  return error.retryable
    ? { status: 503, message: 'it is busy or its store does not answer', retryAfterS: 1, error }
    : { status: 500, message: 'its store refuses', error };
}
