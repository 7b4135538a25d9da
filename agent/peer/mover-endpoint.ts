/**
 * The in-cluster HTTP/2 server (9443) that movers talk to: `stream`, `report` and `gate` of their own run, each request
 * authenticated by the pod's token. A mover holds no other key; what it may do is what its run's registrant answers.
 */
import { once } from 'node:events';
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { pipeline } from 'node:stream/promises';
import { renderError, StorkError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { type MoverRole, moverReportLimitBytes, moverRoles, parseMoverReport } from '../mover/contract.ts';
import type { TreeStore } from '../mover/tree-store.ts';
import { readCapped } from './message.ts';
import type { MoverAuthentication } from './mover-authentication.ts';
import { type PodIdentity, peerLimits } from './peer.ts';
import { renderPeerError } from './peer-error.ts';
import { matchPath } from './routes.ts';
import type { RunRegistry } from './run-registry.ts';
import type { ServingTls } from './serving-tls.ts';

export interface MoverEndpoint extends AsyncDisposable {
  readonly port: number;
  /** New connections use these certificates. */
  renew(tls: ServingTls): void;
}

export interface MoverEndpointOptions {
  readonly tls: ServingTls;
  readonly runs: RunRegistry;
  readonly authentication: MoverAuthentication;
  /** Where movers' knowledge outlasts them; nowhere when undefined. */
  readonly trees?: TreeStore | undefined;
  readonly port: number;
  readonly host?: string | undefined;
  readonly log: Log;
}

export async function startMoverEndpoint(options: MoverEndpointOptions): Promise<MoverEndpoint> {
  const { tls } = options;
  const server = createSecureServer({
    key: tls.key,
    cert: tls.certificate,
    minVersion: 'TLSv1.3',
    settings: {
      enablePush: false,
      initialWindowSize: peerLimits.moverWindowBytes,
      maxConcurrentStreams: 16,
      maxFrameSize: 64 * 1024,
      maxHeaderListSize: 32 * 1024,
    },
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', ignoreLate);
    session.once('close', () => sessions.delete(session));
    session.on('stream', (stream, headers) => serveMover(stream, headers, options));
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    renew: (renewed) => server.setSecureContext({ key: renewed.key, cert: renewed.certificate, minVersion: 'TLSv1.3' }),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

function serveMover(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: MoverEndpointOptions): void {
  const gone = new AbortController();
  stream.on('error', ignoreLate);
  stream.once('close', () => gone.abort(new StorkError({ code: 'MoverGone', message: 'The mover ended its request' })));
  answer(stream, headers, { ...options, signal: gone.signal }).catch((error: unknown) => {
    const { status, body } = renderMoverError(error);
    options.log.info('mover request failed', {
      path: headers[':path'],
      code: body.error.code,
      error: renderError(error),
    });
    respond(stream, status, body);
  });
}

interface Answering extends MoverEndpointOptions {
  readonly signal: AbortSignal;
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: Answering): Promise<void> {
  const { authentication, signal } = options;
  const [path = '', query = ''] = String(headers[':path']).split('?', 2);
  const method = String(headers[':method']);
  const { run, action, gate } = readPath(method, path);
  const pod = await authentication.podOf(headers.authorization, signal);
  switch (action) {
    case 'stream':
      return relayStream(stream, { run, role: roleOf(new URLSearchParams(query).get('role')), pod }, options);
    case 'report': {
      const report = parseMoverReport(await readCapped(stream, moverReportLimitBytes));
      if (report.run !== run) throw invalid('the report is of another run');
      const { entry } = await options.runs.admit(run, report.role, pod, signal);
      entry.onReport(report);
      stream.respond({ ':status': 204 }, { endStream: true });
      return;
    }
    case 'gate': {
      // Only what is written passes a gate, so it is always the destination that asks.
      const { entry } = await options.runs.admit(run, 'destination', pod, signal);
      const verdict = await entry.gate(gate, signal);
      const statuses = { Go: 200, Wait: 202, Refused: 409 } as const;
      respond(stream, statuses[verdict.state], verdict);
      return;
    }
    case 'tree': {
      const asked = new URLSearchParams(query);
      const { entry } = await options.runs.admit(run, roleOf(asked.get('role')), pod, signal);
      const key = entry.treeKey?.(asked.get('volume') ?? '');
      return method === 'GET' ? await sendTree(stream, options.trees, key) : await keepTree(stream, options.trees, key);
    }
    default:
      action satisfies never;
  }
}

async function sendTree(stream: ServerHttp2Stream, trees: TreeStore | undefined, key: string | undefined) {
  const kept = key === undefined ? undefined : await trees?.read(key);
  if (kept === undefined) {
    stream.respond({ ':status': 404 }, { endStream: true });
    return;
  }
  stream.respond({ ':status': 200, 'content-length': kept.sizeBytes });
  await pipeline(kept.stream, stream);
}

async function keepTree(stream: ServerHttp2Stream, trees: TreeStore | undefined, key: string | undefined) {
  if (trees === undefined || key === undefined) {
    stream.respond({ ':status': 404 }, { endStream: true });
    return;
  }
  await trees.write(key, stream);
  stream.respond({ ':status': 204 }, { endStream: true });
}

async function relayStream(
  stream: ServerHttp2Stream,
  asked: { readonly run: string; readonly role: MoverRole; readonly pod: PodIdentity },
  { runs, signal, log }: Answering,
): Promise<void> {
  const admitted = await runs.admit(asked.run, asked.role, asked.pod, signal);
  // Known to be let in: the other mover may take minutes to start, and only now can an intermediary see that we are alive.
  stream.respond({ ':status': 200 });
  try {
    await admitted.relay(stream, signal);
  } catch (error) {
    log.info('mover stream ended early', { run: asked.run, role: asked.role, error: renderError(error) });
    stream.destroy(broken(error));
  }
}

function readPath(method: string, path: string): MoverPath {
  const segments = path.split('/');
  const params = matchPath(actionPath, segments) ?? matchPath(gatePath, segments);
  const action = params?.gate === undefined ? actions.find((known) => known === params?.action) : 'gate';
  if (params?.run === undefined || action === undefined || !methodsOf(action).includes(method)) {
    throw new StorkError({ code: 'UnknownRoute', message: `Movers can't ask for ${method} ${path.slice(0, 200)}` });
  }
  return { run: params.run, action, gate: params.gate ?? '' };
}

interface MoverPath {
  readonly run: string;
  readonly action: 'stream' | 'report' | 'tree' | 'gate';
  readonly gate: string;
}

const methodsOf = (action: MoverPath['action']): readonly string[] => (action === 'tree' ? ['GET', 'PUT'] : ['POST']);

const actions = ['stream', 'report', 'tree'] as const;
const actionPath = '/v1/runs/:run/:action'.split('/');
const gatePath = '/v1/runs/:run/gate/:gate'.split('/');

function roleOf(text: string | null): MoverRole {
  const role = moverRoles.find((known) => known === text);
  if (role === undefined) throw invalid('the role is missing');
  return role;
}

function renderMoverError(error: unknown) {
  const rendered = renderPeerError(error);
  const status = { InvalidMoverToken: 401, RunNotFound: 404, InvalidMoverMessage: 400 }[rendered.body.error.code];
  return { ...rendered, status: status ?? rendered.status };
}

function respond(stream: ServerHttp2Stream, status: number, body: unknown): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.destroy(broken(body));
    return;
  }
  stream.respond({ ':status': status, 'content-type': 'application/json' });
  stream.end(JSON.stringify(body));
}

/** Resets the stream with a code other than 0, so that it never looks like a good end; the mover starts anew. */
const broken = (cause: unknown) =>
  new StorkError({ code: 'StreamBroken', message: 'The stream broke', retryable: true, cause });

const invalid = (problem: string) =>
  new StorkError({ code: 'InvalidMoverMessage', message: `A mover's request is wrong: ${problem}` });

/** A stream's or session's end is heard by `close`. */
const ignoreLate = () => {};
