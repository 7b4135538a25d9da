/**
 * An agent as movers see one, over loopback TLS: joins the streams of a run's two movers, keeps reports, answers the gate.
 * Both ends of the real relay (agent/peer) in one process, with a tap on the bytes.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { systemClock } from '../../../kube/clock.ts';
import { peerLimits } from '../../peer/peer.ts';
import { issueServingTls } from '../../peer/serving-tls.ts';
import { type GateAnswer, type MoverReport, type MoverRole, parseMoverReport } from '../contract.ts';

export interface LoopbackAgent extends AsyncDisposable {
  readonly url: string;
  readonly ca: string;
  readonly reports: readonly MoverReport[];
  /** Bytes relayed from source to destination so far. */
  readonly relayed: number;
  gate: () => GateAnswer;
  onBytes: (relayed: number) => void;
  /** Breaks the current streams. */
  cut(): void;
}

/** @param link what bytes of one direction pass through on their way; nothing when undefined */
export async function startLoopbackAgent(link?: (() => Duplex) | undefined): Promise<LoopbackAgent> {
  const tls = issueServingTls({
    authorityName: 'ca',
    dnsNames: ['localhost'],
    authority: undefined,
    now: systemClock().now(),
    randomBytes,
  });
  // As an agent's endpoint for movers has it.
  const settings = { initialWindowSize: peerLimits.moverWindowBytes, maxFrameSize: 64 * 1024 };
  const server = createSecureServer({ key: tls.key, cert: tls.certificate, minVersion: 'TLSv1.3', settings });
  const sessions = new Set<ServerHttp2Session>();
  const reports: MoverReport[] = [];
  let streams: Partial<Record<MoverRole, ServerHttp2Stream>> = {};
  const cut = () => {
    for (const stream of Object.values(streams)) stream.destroy();
    streams = {};
  };
  let relayed = 0;
  const join = (role: MoverRole, stream: ServerHttp2Stream) => {
    if (streams[role] !== undefined) cut();
    streams[role] = stream;
    stream.on('close', () => {
      if (streams[role] === stream) cut();
    });
    const { source, destination } = streams;
    if (source === undefined || destination === undefined) return;
    source.on('data', (chunk: Buffer) => {
      relayed += chunk.length;
      agent.onBytes(relayed);
    });
    (link === undefined ? source : source.pipe(link())).pipe(destination);
    (link === undefined ? destination : destination.pipe(link())).pipe(source);
  };
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => session.destroy());
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    const { pathname, searchParams } = new URL(String(headers[':path']), 'https://localhost');
    if (pathname.endsWith('/stream')) {
      stream.respond({ ':status': 200 });
      join(searchParams.get('role') === 'source' ? 'source' : 'destination', stream);
      return;
    }
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (pathname.endsWith('/report')) {
        reports.push(parseMoverReport(Buffer.concat(chunks)));
        return stream.respond({ ':status': 204 }, { endStream: true });
      }
      const answer = agent.gate();
      stream.respond({ ':status': { Go: 200, Wait: 202, Refused: 409 }[answer.state] });
      return stream.end(JSON.stringify(answer));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const agent: LoopbackAgent = {
    url: `https://localhost:${port}`,
    ca: tls.authority,
    reports,
    get relayed() {
      return relayed;
    },
    gate: () => ({ state: 'Go' }),
    onBytes: () => undefined,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      for (const session of sessions) session.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
  return agent;
}
