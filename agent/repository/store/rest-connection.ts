/**
 * Requests to a REST server over HTTP/1.1: TLS verified always, by the system's authorities, given ones, or the certificate's own fingerprint,
 * which is looked at before the first byte is sent. Sockets are kept. Large bodies wait for the server's `100 Continue`, so that one
 * who refuses them is heard. Retries nothing: retry-store.ts does.
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { StorkError } from '../../../kube/errors.ts';
import { storeRefused } from './store-error.ts';
import { silenceError } from './transport-error.ts';

export interface RestConnectionOptions {
  /** Ends with a slash. Plain `http:` only to this machine. */
  readonly url: string;
  readonly credentials: RestCredentials | undefined;
  readonly tls: RestTls;
  readonly patience?: RestPatience | undefined;
}

export interface RestPatience {
  /** Until a socket is connected, TLS agreed on. */
  readonly connectWithinMs: number;
  /** Without a byte in either direction; a server may write to a slow store meanwhile. */
  readonly silentAtMostMs: number;
}

export interface RestCredentials {
  readonly username: string;
  readonly password: string;
}

export interface RestTls {
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca: string | undefined;
  /** SHA-256 of the server's certificate (DER), 64 hex digits. Instead of authorities, or, when `ca` is given, besides. */
  readonly fingerprint: string | undefined;
  /** PEM of our own certificate and its key. */
  readonly client: string | undefined;
}

export interface RestRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  /** Below the repository's, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The answer with its body still to be read, or destroyed. @throws what the socket throws */
export type RestConnection = (request: RestRequest) => Promise<IncomingMessage>;

const socketsAtMost = 64;
const restPatience: RestPatience = { connectWithinMs: 15_000, silentAtMostMs: 120_000 };
/** A smaller body costs less than waiting for leave to send it. */
const continueFromBytes = 64 * 1024;

export function restConnection(options: RestConnectionOptions): RestConnection {
  const { url, credentials, tls, patience = restPatience } = options;
  const isTls = url.startsWith('https:');
  const sockets = { keepAlive: true, maxSockets: socketsAtMost };
  const agent = isTls ? pinnedAgent(sockets, tls, patience) : new HttpAgent(sockets);
  const send = isTls ? requestHttps : requestHttp;
  const common = {
    'user-agent': 'stork-agent',
    ...(credentials === undefined ? {} : { authorization: basic(credentials) }),
  };
  return ({ method, path, headers, body, signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const waits = (body?.length ?? 0) >= continueFromBytes;
    const request = send(`${url}${path}`, {
      ...{ method, agent, timeout: patience.connectWithinMs },
      headers: {
        ...common,
        ...headers,
        ...(method === 'POST' ? { 'content-length': String(body?.length ?? 0) } : {}),
        ...(waits ? { expect: '100-continue' } : {}),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    request.on('socket', (socket) => {
      const waitForAnswer = () => void request.setTimeout(patience.silentAtMostMs);
      if (socket.connecting) socket.once(isTls ? 'secureConnect' : 'connect', waitForAnswer);
      else waitForAnswer();
    });
    request.on('timeout', () => request.destroy(silenceError('it said nothing for too long')));
    request.on('error', reject);
    request.on('response', (answer) => {
      resolve(answer);
      // Refused before it was sent: this socket waits for a body that never comes.
      if (!request.writableEnded) answer.once('end', () => request.destroy());
    });
    if (waits) {
      request.on('continue', () => request.end(body));
      request.flushHeaders();
    } else request.end(body);
    return promise;
  };
}

const basic = ({ username, password }: RestCredentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;

function pinnedAgent(
  sockets: { readonly keepAlive: boolean; readonly maxSockets: number },
  tls: RestTls,
  { connectWithinMs }: RestPatience,
): HttpsAgent {
  const { ca, fingerprint, client } = tls;
  const agent = new HttpsAgent({
    ...sockets,
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined ? {} : { cert: client, key: client }),
    // With a pin alone the certificate itself is what is trusted, below, whoever signed it.
    ...(fingerprint !== undefined && ca === undefined ? { rejectUnauthorized: false } : {}),
  });
  if (fingerprint === undefined) return agent;
  agent.createConnection = (options, done) => {
    // A session that is resumed shows no certificate: each connection begins anew.
    const socket = connect({ ...assertConnectionOptions(options), session: undefined });
    // No request has it yet.
    const giveUp = () => void socket.destroy(silenceError('it agreed on no TLS'));
    socket.setTimeout(connectWithinMs, giveUp);
    socket.once('error', (error) => done?.(error, socket));
    socket.once('secureConnect', () => {
      socket.setTimeout(0, giveUp);
      const failure = mismatch(socket, fingerprint);
      if (failure === undefined) done?.(null, socket);
      else socket.destroy(failure);
    });
    return undefined;
  };
  return agent;
}

/** Node's agent gives its own and the request's options here, which are those of a connection. */
const assertConnectionOptions = (options: object): ConnectionOptions => options as ConnectionOptions;

function mismatch(socket: TLSSocket, fingerprint: string): StorkError | undefined {
  const found = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
  if (found === fingerprint) return undefined;
  return storeRefused(
    `its certificate has the fingerprint ${found ?? '(none)'}, not the one that was given`,
    socket.servername || 'its address',
    'If the certificate was renewed, ask whoever runs the server for the new fingerprint (-o rest.tls-fingerprint=…).',
  );
}
