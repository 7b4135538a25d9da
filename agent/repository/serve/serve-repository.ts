/**
 * A repository served to other machines by restic's REST protocol: TLS 1.3, clients known by certificate or password, everything within bounds.
 * Ends gracefully: what is under way may end, nothing new begins.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer, type ServerOptions } from 'node:http';
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock } from '../../../kube/clock.ts';
import type { Log } from '../../../kube/log.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { answerRequest } from './answer-request.ts';
import { listTokens } from './list-token.ts';
import type { PasswordFile } from './password-file.ts';
import { bodyReader } from './read-body.ts';
import { type ServedRules, servedStore } from './served-store.ts';

export interface ServeCredentials {
  /** Undefined: plain HTTP, for this machine only. */
  readonly tls: ServeTls | undefined;
  readonly users: PasswordFile | undefined;
}

export interface ServeOptions extends ServedRules, ServeCredentials {
  readonly store: ObjectStore;
  readonly listen: { readonly host: string; readonly port: number };
  readonly maxObjectBytes: number;
  readonly clock: Pick<Clock, 'now' | 'after'>;
  readonly log: Log;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
}

/** All PEM. */
export interface ServeTls {
  readonly cert: string;
  readonly key: string;
  /** With it only clients whose certificate one of these signed get in. */
  readonly clientCa: string | undefined;
}

export interface Serving extends AsyncDisposable {
  readonly port: number;
  /**
   * For all connections and requests from now on; who is connected comes back once what he asked for is answered. Throws when certificate
   * and key are of no use: then all stays as it is. Whether there is TLS, and an authority of clients, can't be changed.
   */
  replace(credentials: ServeCredentials): void;
  /** Lets what is under way end, for a while. May be called again. */
  close(): Promise<void>;
}

const mebibyte = 1024 * 1024;
const minuteMs = 60_000;
const limits = {
  requestsAtOnce: 64,
  connections: 256,
  handshakeWithinMs: 15_000,
  headersWithinMs: 15_000,
  /** A whole upload. */
  requestWithinMs: 60 * minuteMs,
  /** Without a byte in either direction. */
  silentMs: 3 * minuteMs,
  headerBytes: 16 * 1024,
  uploadBytesAtOnce: 512 * mebibyte,
  endWithinMs: 30_000,
};
/** What a put that was killed left; younger ones may be another server's. */
const leftoversAfterMs = 24 * 60 * minuteMs;

/** Listens when it resolves. @throws what listening throws, `StoreRefused` and others of the store */
export async function serveRepository(options: ServeOptions): Promise<Serving> {
  const { store, listen, clock, log } = options;
  let { users } = options;
  const served = await servedStore(store, options);
  await store.removeLeftovers(new Date(clock.now().getTime() - leftoversAfterMs));
  const objectBytes = options.maxObjectBytes;
  const answering = {
    store: served,
    get users() {
      return users;
    },
    bodies: bodyReader({ objectBytes, allBytes: Math.max(objectBytes, limits.uploadBytesAtOnce) }),
    // The key of the server's certificate stays when it is started again.
    tokens: listTokens(
      createHash('sha256')
        .update('list')
        .update(options.tls?.key ?? options.randomBytes(32))
        .digest(),
    ),
    privateNames: (await store.privateNames?.()) ?? 'Kept',
    report: (fields: Parameters<Log['info']>[1]) => log.info('request', fields),
  } as const;
  let running = 0;
  const server = listener(options.tls, (request, response) => {
    if (running >= limits.requestsAtOnce) {
      response.writeHead(503, { 'retry-after': '1', connection: 'close', 'content-length': 0 }).end();
      return;
    }
    running++;
    // What a client keeps open after its last answer would keep a server that ends waiting.
    response.once('close', () => {
      if (!server.listening || !connected.has(request.socket)) setImmediate(() => server.closeIdleConnections());
    });
    void answerRequest(answering, request, response).finally(() => running--);
  });
  const connected = connections(server, clock);
  server.listen({ host: listen.host, port: listen.port });
  await once(server, 'listening');
  const address = server.address();
  const close = closing(server, clock, connected);
  return {
    port: address === null || typeof address === 'string' ? listen.port : address.port,
    replace(credentials) {
      if (server instanceof HttpsServer && credentials.tls !== undefined)
        // Tickets would let clients in again whose authority is gone.
        server.setSecureContext({ ...secureOf(credentials.tls), ticketKeys: Buffer.from(options.randomBytes(48)) });
      ({ users } = credentials);
      connected.startOver();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Connections extends Disposable {
  /** Whether it came since all had to start over. */
  has(socket: Socket): boolean;
  /** Ends those that nobody waits on; the others are no longer had. */
  startOver(): void;
}

function connections(server: HttpServer | HttpsServer, clock: Pick<Clock, 'after'>): Connections {
  let sockets = new WeakSet<Socket>();
  let later: Disposable | undefined;
  const add = (socket: Socket) => void sockets.add(socket);
  server.on('connection', add);
  server.on('secureConnection', add);
  const forget = () => {
    sockets = new WeakSet();
    server.closeIdleConnections();
  };
  const stop = () => later?.[Symbol.dispose]();
  return {
    has: (socket) => sockets.has(socket),
    startOver() {
      forget();
      stop();
      // Whoever was greeted by the certificate of before is connected by then, or never.
      if (server.listening) later = clock.after(limits.handshakeWithinMs + 1000, forget);
    },
    [Symbol.dispose]: stop,
  };
}

const secureOf = ({ cert, key, clientCa }: ServeTls) =>
  ({ minVersion: 'TLSv1.3', cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }) }) as const;

type Handler =
  Parameters<typeof answerRequest> extends [unknown, infer Request, infer Response]
    ? (request: Request, response: Response) => void
    : never;

function listener(tls: ServeTls | undefined, handle: Handler): HttpServer | HttpsServer {
  const bounds: ServerOptions = {
    headersTimeout: limits.headersWithinMs,
    requestTimeout: limits.requestWithinMs,
    maxHeaderSize: limits.headerBytes,
    keepAliveTimeout: limits.silentMs,
  };
  const server =
    tls === undefined
      ? createHttpServer(bounds)
      : createHttpsServer({
          ...{ ...bounds, ...secureOf(tls), handshakeTimeout: limits.handshakeWithinMs },
          ...(tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
        });
  server.maxConnections = limits.connections;
  server.setTimeout(limits.silentMs);
  server.on('request', handle);
  // Read-body.ts asks for the body, once it is wanted.
  server.on('checkContinue', handle);
  return server;
}

function closing(
  server: HttpServer | HttpsServer,
  clock: Pick<Clock, 'after'>,
  connected: Connections,
): () => Promise<void> {
  let ended: Promise<unknown> | undefined;
  return async () => {
    if (ended === undefined) {
      connected[Symbol.dispose]();
      ended = once(server, 'close');
      server.close();
      server.closeIdleConnections();
    }
    using _cut = clock.after(limits.endWithinMs, () => server.closeAllConnections());
    await ended;
  };
}
