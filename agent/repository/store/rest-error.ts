/** What a REST server and the way to it answer, as StoreErrors. */
import type { IncomingMessage } from 'node:http';
import { extensionHeader } from './rest-protocol.ts';
import { StoreError, storeFull, storeRefused, unavailable } from './store-error.ts';
import { isTlsRefusal, retryAfterMs, tlsRefused } from './transport-error.ts';

export interface RestAsked {
  readonly about: string;
  readonly signal: AbortSignal | undefined;
}

/** The error to throw for what a request threw: the caller's reason when it was aborted, else a StoreError. */
export function explainRestFailure(error: unknown, { about, signal }: RestAsked): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof StoreError || !(error instanceof Error)) return error;
  return isTlsRefusal(error) ? tlsRefused(error, about) : unavailable(error.message, about, { cause: error });
}

/** Of an answer that is no success, whose body was read as far as `said`. */
export function explainRestStatus({ statusCode: status = 0, headers }: IncomingMessage, said: string, about: string) {
  const what = `${status}${said === '' ? '' : ` ${said}`}`;
  switch (status) {
    case 401:
      return storeRefused(
        `${what}: it wants a user and a password`,
        about,
        'Set RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or -o rest.credentials-file=FILE.',
      );
    case 403:
      return storeRefused(
        what,
        about,
        'It allows this user no such thing; one that is append-only removes nothing but locks.',
      );
    case 413:
      // Ours means this object alone; others their quota.
      return headers[extensionHeader] === undefined
        ? storeFull(about, new Error(what))
        : storeRefused(what, about, 'Let it be served with a larger --max-object-size.');
    case 507:
      return storeFull(about, new Error(what));
    case 408:
    case 429:
      return unavailable(what, about, { retryAfterMs: retryAfterMs(headers['retry-after']) });
    default:
      return status >= 500 && status !== 501 && status !== 505
        ? unavailable(what, about, { retryAfterMs: retryAfterMs(headers['retry-after']) })
        : storeRefused(what, about, 'Check address and options: does a REST server for restic answer there?');
  }
}

const saidAtMostBytes = 300;

/** The first line of what a server says of its refusal, without what a terminal would obey. The answer is let go. */
export async function readRefusal(answer: IncomingMessage): Promise<string> {
  let said = '';
  try {
    for await (const piece of answer) {
      said += String(piece);
      if (said.length > saidAtMostBytes) break;
    }
  } catch {
    // The status is what counts.
  }
  const [line = ''] = said.split('\n', 1);
  return line.slice(0, saidAtMostBytes).replace(/[^\x20-\x7e]/g, '');
}
