/**
 * Requests over the pool, with the server's own wish to wait (429, 503 with Retry-After) granted a bounded number of
 * times, and one more try after a 401 when there is a newer credential to read.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import { apiErrorOf, connectionFailure, readText } from './answer.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { CredentialSource } from './credentials.ts';

export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, below the server's URL. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  /** What the request is for, for errors: `pods default/db-0`. */
  readonly about: string;
  readonly signal?: AbortSignal | undefined;
}

export interface WireAnswer {
  readonly text: string;
  readonly contentType: string;
}

export interface Transport {
  readonly server: string;
  readonly limits: TransportLimits;
  readonly clock: Clock;
  /** The whole answer, of 2xx. @throws ApiError, StorkError as KubeClient says */
  call(request: WireRequest, impersonation: ImpersonationHeaders): Promise<WireAnswer>;
  /** The answer from its first byte, of 2xx; the caller reads it to its end or destroys it. */
  stream(request: WireRequest, impersonation: ImpersonationHeaders): Promise<IncomingMessage>;
  /** What a WebSocket needs to be made like the other connections. */
  upgrade(
    signal?: AbortSignal,
  ): Promise<{ readonly agent: import('node:http').Agent; readonly authorization: string | undefined }>;
  close(): void;
}

export type ImpersonationHeaders = Readonly<Record<string, string | readonly string[]>>;

export interface TransportLimits {
  /** No answer of a call is longer. */
  readonly answerBytes: number;
  /** A call's answer has come completely within this time; a stream's first byte. */
  readonly answerWithinMs: number;
  /** How often a call is tried in all. */
  readonly attempts: number;
  /** A server that asks us to wait longer is not waited for. */
  readonly retryAfterMs: number;
}

export const defaultLimits: TransportLimits = {
  answerBytes: 64 * 1024 * 1024,
  answerWithinMs: 70_000,
  attempts: 5,
  retryAfterMs: 30_000,
};

export interface TransportOptions {
  readonly server: string;
  readonly pool: ConnectionPool;
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: TransportLimits;
  readonly userAgent: string;
}

export function createTransport(options: TransportOptions): Transport {
  const { server, pool, credentials, clock, limits } = options;
  const sendOnce = async (request: WireRequest, use: 'Call' | 'Stream', headers: ImpersonationHeaders) => {
    const agent = await pool.agent(use, request.signal);
    const authorization = await credentials.authorization(request.signal);
    const open = pool.protocol === 'https:' ? httpsRequest : httpRequest;
    return open(`${server}${request.path}`, {
      method: request.method,
      agent,
      headers: {
        ...headers,
        accept: request.accept ?? 'application/json',
        'user-agent': options.userAgent,
        ...(authorization === undefined ? {} : { authorization }),
        ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
        ...(request.body === undefined ? {} : { 'content-length': Buffer.byteLength(request.body) }),
      },
    });
  };
  /** The 2xx answer and the timer that watches over it. */
  const exchange = async (
    request: WireRequest,
    use: 'Call' | 'Stream',
    headers: ImpersonationHeaders,
  ): Promise<Exchange> => {
    for (let attempt = 1; ; attempt += 1) {
      request.signal?.throwIfAborted();
      const outgoing = await sendOnce(request, use, headers);
      const opened = await openExchange(outgoing, request, { server, clock, limits });
      if (opened.response.statusCode !== undefined && opened.response.statusCode < 300) return opened;
      const refusal = await opened.whole(async () => {
        const text = await readText(opened.response, limits.answerBytes, request.about);
        return apiErrorOf(opened.response.statusCode ?? 0, text, request.about);
      });
      const again = planRetry(refusal.status.code, opened.response.headers['retry-after'], { attempt, limits });
      if (again.do === 'GiveUp') throw refusal;
      if (again.do === 'RenewCredential' && credentials.renew() === 'Fixed') throw refusal;
      if (again.do === 'Wait') await clock.sleep(again.ms * (1 + 0.2 * options.random()), request.signal);
    }
  };
  return {
    server,
    limits,
    clock,
    async call(request, impersonation) {
      const opened = await exchange(request, 'Call', impersonation);
      const text = await opened.whole(() => readText(opened.response, limits.answerBytes, request.about));
      return { text, contentType: opened.response.headers['content-type'] ?? '' };
    },
    async stream(request, impersonation) {
      const opened = await exchange(request, 'Stream', impersonation);
      opened.release();
      return opened.response;
    },
    async upgrade(signal) {
      return { agent: await pool.agent('Stream', signal), authorization: await credentials.authorization(signal) };
    },
    close: pool.close,
  };
}

type Retry =
  | { readonly do: 'GiveUp' }
  | { readonly do: 'RenewCredential' }
  | { readonly do: 'Wait'; readonly ms: number };

/** Pure. A 429 or 503 says itself that nothing was done, so any method may be repeated. */
export function planRetry(
  code: number,
  retryAfter: string | undefined,
  { attempt, limits }: { readonly attempt: number; readonly limits: TransportLimits },
): Retry {
  if (code === 401 && attempt === 1) return { do: 'RenewCredential' };
  if ((code !== 429 && code !== 503) || attempt >= limits.attempts) return { do: 'GiveUp' };
  const ms = Number(retryAfter) * 1000;
  if (retryAfter === undefined || !(ms >= 0) || ms > limits.retryAfterMs) return { do: 'GiveUp' };
  return { do: 'Wait', ms };
}

interface Exchange {
  readonly response: IncomingMessage;
  /** Runs `read` under the deadline and the signal, destroys what it left unread, and translates its failure. */
  whole<T>(read: () => Promise<T>): Promise<T>;
  /** Ends the deadline: a stream lives as long as it likes. */
  release(): void;
}

interface ExchangeContext {
  readonly server: string;
  readonly clock: Clock;
  readonly limits: TransportLimits;
}

async function openExchange(
  outgoing: ClientRequest,
  request: WireRequest,
  context: ExchangeContext,
): Promise<Exchange> {
  const { signal } = request;
  const { answerWithinMs } = context.limits;
  const timer = context.clock.after(answerWithinMs, () => outgoing.destroy(unanswered(context.server, answerWithinMs)));
  const onAbort = () => outgoing.destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  const settle = () => {
    timer[Symbol.dispose]();
    signal?.removeEventListener('abort', onAbort);
  };
  const translate = (error: unknown): unknown => {
    settle();
    return signal?.aborted ? signal.reason : connectionFailure(error, context.server);
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  outgoing.on('response', resolve);
  outgoing.on('error', reject);
  outgoing.end(request.body);
  // The signal may have fired while the credential was being fetched.
  if (signal?.aborted) onAbort();
  const response = await promise.catch((error: unknown) => {
    throw translate(error);
  });
  return {
    response,
    release: settle,
    async whole(read) {
      try {
        const result = await read();
        settle();
        return result;
      } catch (error) {
        response.destroy();
        throw translate(error);
      }
    },
  };
}

const unanswered = (server: string, answerWithinMs: number) =>
  new StorkError({
    code: 'ApiServerUnreachable',
    message: `The API server ${server} did not answer within ${answerWithinMs} ms.`,
    about: server,
    retryable: true,
  });
