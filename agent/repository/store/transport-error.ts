/** What lies below every store over HTTP: a network without an answer, TLS that is refused, and how long a server asks us to wait. */
import { errnoOf } from '../../mover/mover-error.ts';
import { type StoreError, storeRefused } from './store-error.ts';

export interface NetworkFailure {
  readonly kind: 'UnknownHost' | 'NothingListens' | 'NoAnswer';
  /** What failed; not the SDK's errors around it. */
  readonly error: Error;
}

const kinds: Readonly<Record<string, NetworkFailure['kind']>> = {
  ENOTFOUND: 'UnknownHost',
  ECONNREFUSED: 'NothingListens',
};
const noAnswer =
  /^(EAI_\w+|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|HPE_\w+)$/;

/** Of a bound of ours on waiting: with the kernel's code for it, so that it counts as no answer. */
export const silenceError = (message: string): Error => Object.assign(new Error(message), { code: 'ETIMEDOUT' });

const causesAtMost = 8;

/** Why no answer came; undefined when it is something else that failed, as with every answer of a server. */
export function networkFailureOf(thrown: unknown): NetworkFailure | undefined {
  let error = thrown;
  for (let depth = 0; depth < causesAtMost && error instanceof Error; depth++) {
    // Of the addresses that a name has, one is enough to tell.
    if (error instanceof AggregateError && error.errors.length > 0) error = error.errors[0];
    else if (error.cause instanceof Error) error = error.cause;
    else break;
  }
  if (!(error instanceof Error)) return undefined;
  const code = errnoOf(error) ?? '';
  const kind = Object.hasOwn(kinds, code) ? kinds[code] : undefined;
  if (kind !== undefined) return { kind, error };
  return noAnswer.test(code) || error.name === 'TimeoutError' ? { kind: 'NoAnswer', error } : undefined;
}

const tlsCodes =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_\w+|ERR_SSL_\w+|EPROTO)$/;

/** The server's certificate isn't trusted, or what answers speaks no TLS. */
export const isTlsRefusal = (error: unknown): boolean => tlsCodes.test(errnoOf(error) ?? '');

const trustHint = 'Name the file of the authority that signed it with --cacert, or correct the address.';

export function tlsRefused(error: unknown, about: string, hint = trustHint): StoreError {
  // Of no certificate: something else answers, or it wants another TLS. OpenSSL's words are in the cause.
  if (/^(EPROTO|ERR_SSL_)/.test(errnoOf(error) ?? ''))
    return storeRefused(
      `TLS can't be agreed on with it (${errnoOf(error)})`,
      about,
      'Look at host and port of the address. A server without TLS is one of http://; one that wants a certificate of ours gets it by -o rest.tls-client-cert.',
      error,
    );
  return storeRefused(`its TLS certificate isn't accepted (${errnoOf(error)})`, about, hint, error);
}

/** Too many requests, or unavailable for now: S3's SlowDown, Azure's ServerBusy. */
export const isOverload = (status: number | undefined): boolean => status === 429 || status === 503;

/** Of a Retry-After header in seconds; the form with a date is not used by stores. */
export function retryAfterMs(header: unknown): number | undefined {
  const seconds = typeof header === 'string' && /^\d{1,5}(\.\d+)?$/.test(header) ? Number(header) : undefined;
  return seconds === undefined ? undefined : seconds * 1000;
}
