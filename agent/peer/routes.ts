/**
 * Routes a peer may call, typed where they are written and checked where they arrive, and the server side of a session that
 * answers them. Requests and answers are JSON of at most 4 MiB; a failure travels as `{error: StorkError's fields}`.
 */
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { parse, type Schema } from '../../crds/schema/index.ts';
import { renderError, StorkError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { readJson } from './message.ts';
import { type PairFacts, type PeerCall, type PeerRequest, type PeerRoute, peerLimits } from './peer.ts';
import { renderPeerError } from './peer-error.ts';

/** A JSON route. `path` segments that start with `:` are parameters. The answer must be JSON; it is capped too. */
export function jsonRoute<In>(route: {
  readonly method: PeerCall<unknown>['method'];
  readonly path: string;
  readonly body: Schema<In, unknown>;
  answer(request: PeerRequest<In>): Promise<unknown>;
}): PeerRoute;
export function jsonRoute(route: {
  readonly method: PeerCall<unknown>['method'];
  readonly path: string;
  answer(request: PeerRequest<undefined>): Promise<unknown>;
}): PeerRoute;
export function jsonRoute<In>(route: {
  readonly method: PeerCall<unknown>['method'];
  readonly path: string;
  readonly body?: Schema<In, unknown>;
  answer(request: PeerRequest<In>): Promise<unknown>;
}): PeerRoute {
  const { method, path, body } = route;
  return { kind: 'json', method, path, body, answer: (request) => route.answer(assertBodyOf<In>(request)) };
}

/** A route for bytes both ways: POST, admitted or refused before the first byte. */
export function streamRoute(route: {
  readonly path: string;
  admit(request: PeerRequest<undefined>): Promise<(stream: Duplex) => void>;
}): PeerRoute {
  return { kind: 'stream', ...route };
}

/** Answers the requests of one session. `pair` is read at each request, so that a changed grant holds at once. */
export function serveRoutes(
  session: ServerHttp2Session,
  options: { readonly routes: readonly PeerRoute[]; readonly pair: () => PairFacts; readonly log: Log },
): void {
  session.on('stream', (stream, headers) => {
    const asked = new AbortController();
    stream.on('error', ignoreLate);
    stream.on('close', () => asked.abort(new StorkError({ code: 'PeerGone', message: 'The peer ended the request' })));
    const log = options.log.with({
      method: headers[':method'],
      path: headers[':path'],
      operation: operationOf(headers),
    });
    answer(stream, headers, { ...options, signal: asked.signal }).catch((error: unknown) => {
      const rendered = renderPeerError(error);
      const level = rendered.status >= 500 ? 'warn' : 'info';
      log[level]('peer request failed', { code: rendered.body.error.code, error: renderError(error) });
      respond(stream, rendered.status, rendered.body);
    });
  });
}

interface Serving {
  readonly routes: readonly PeerRoute[];
  readonly pair: () => PairFacts;
  readonly signal: AbortSignal;
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, serving: Serving): Promise<void> {
  const method = String(headers[':method']);
  const [path = '', query = ''] = String(headers[':path']).split('?', 2);
  const { route, params } = findRoute(serving.routes, method, path);
  const base = {
    pair: serving.pair(),
    params,
    query: new URLSearchParams(query),
    operation: operationOf(headers),
    signal: serving.signal,
  };
  if (route.kind === 'stream') {
    const take = await route.admit({ ...base, body: undefined });
    if (stream.destroyed) return;
    stream.respond({ ':status': 200 });
    take(stream);
    return;
  }
  const body =
    route.body === undefined ? undefined : parse(route.body, await readJson(stream, peerLimits.messageBytes));
  const result = await route.answer({ ...base, body });
  respond(stream, 200, result ?? {});
}

function findRoute(routes: readonly PeerRoute[], method: string, path: string) {
  const segments = path.split('/').map(decode);
  for (const route of routes) {
    if (method !== (route.kind === 'stream' ? 'POST' : route.method)) continue;
    const params = matchPath(route.path.split('/'), segments);
    if (params !== undefined) return { route, params };
  }
  throw new StorkError({
    code: 'UnknownRoute',
    message: `The peer's agent does not know ${method} ${path.slice(0, 200)}`,
    hint: 'The two agents may have different versions; update the older one.',
  });
}

/** The parameters, when the path fits the pattern. */
export function matchPath(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: [string, string][] = [];
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith(':') && part !== segment) return undefined;
    if (part.startsWith(':') && !parameterPattern.test(segment)) return undefined;
    if (part.startsWith(':')) params.push([part.slice(1), segment]);
  }
  return Object.fromEntries(params);
}

/** Names, uids and digests; nothing that could be a path. */
const parameterPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Malformed escapes: no parameter and no fixed segment contains a percent sign, so it fits nothing.
    return '%';
  }
}

function respond(stream: ServerHttp2Stream, status: number, body: unknown): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent)
    return void stream.destroy(new StorkError({ code: 'StreamBroken', message: 'A stream failed' }));
  const bytes = Buffer.from(JSON.stringify(body));
  if (bytes.length > peerLimits.messageBytes) {
    const { status: failed, body: told } = renderPeerError(answerTooLarge(bytes.length));
    respond(stream, failed, told);
    return;
  }
  stream.respond({ ':status': status, 'content-type': 'application/json', 'content-length': bytes.length });
  stream.end(bytes);
}

function operationOf(headers: IncomingHttpHeaders): string | undefined {
  const operation = headers['stork-operation'];
  return typeof operation === 'string' && parameterPattern.test(operation) ? operation : undefined;
}

/** `jsonRoute` puts the body's schema beside its handler, so what was parsed with it is what the handler takes. */
function assertBodyOf<In>(request: PeerRequest<unknown>): PeerRequest<In> {
  return request as PeerRequest<In>;
}

function answerTooLarge(sizeBytes: number): StorkError {
  return new StorkError({
    code: 'MessageTooLarge',
    message: `The answer would be ${sizeBytes} bytes, more than ${peerLimits.messageBytes}`,
  });
}

/** A stream's end is heard by `close`. */
const ignoreLate = () => {};
