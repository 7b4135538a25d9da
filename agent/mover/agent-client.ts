/**
 * A mover's connection to its agent: HTTP/2 over TLS, the agent's CA pinned, the pod's token on each request (read anew, it rotates).
 * The byte stream has a connection of its own, so that reports and gates never queue behind bulk.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import {
  type GateAnswer,
  type MoverReport,
  type MoverRole,
  moverPaths,
  moverReportIntervalMs,
  moverReportLimitBytes,
  parseGateAnswer,
} from './contract.ts';
import { LinkBroken } from './frame-link.ts';
import { atMost } from './tree-store.ts';

export interface AgentClient {
  /** A stream to the other mover; throws LinkBroken when the agent can't give one now. */
  openStream(role: MoverRole, signal: AbortSignal): Promise<Duplex>;
  /** The newest report wins; sent in the background, at most one every two seconds, lost ones don't matter. */
  report(report: MoverReport): void;
  /** Writes what the agent keeps of a volume into a file; none when it keeps nothing. @throws LinkBroken, or when it is too large */
  fetchTree(what: TreeFetch, signal: AbortSignal): Promise<void>;
  /** Gives the agent a file to keep. @throws LinkBroken */
  handTree(what: Omit<TreeFetch, 'limitBytes'>, signal: AbortSignal): Promise<void>;
  /** Asks until the agent answers Go or Refused. */
  awaitGate(signal: AbortSignal): Promise<Exclude<GateAnswer, { readonly state: 'Wait' }>>;
  /** Resolves once what was sent is on its way, within a second. */
  close(): Promise<void>;
}

export interface TreeFetch {
  readonly role: MoverRole;
  readonly volume: string;
  readonly file: string;
  readonly limitBytes: number;
}

export interface AgentClientOptions {
  readonly url: string;
  readonly ca: string;
  readonly run: string;
  readonly readToken: () => string;
  readonly clock: Clock;
}

const windowBytes = 8 * 1024 * 1024;
const answerTimeoutMs = 30_000;
/** Longer than the other mover's pod may take to start: the agent answers when both are there. */
const openTimeoutMs = 120_000;
const gateRetryMs = 2_000;
const closingMs = 1_000;
const longestGateRetryMs = 10_000;

export function createAgentClient(options: AgentClientOptions): AgentClient {
  const { url, ca, run, clock } = options;
  const sessions = new Set<ClientHttp2Session>();
  let control: ClientHttp2Session | undefined;
  let waiting: MoverReport | undefined;
  let timer: Disposable | undefined;

  const openSession = (): ClientHttp2Session => {
    const session = connect(url, {
      ca,
      minVersion: 'TLSv1.3',
      settings: { initialWindowSize: windowBytes, enablePush: false },
    });
    session.on('connect', () => session.setLocalWindowSize(windowBytes));
    sessions.add(session);
    session.on('error', () => session.destroy());
    session.on('close', () => sessions.delete(session));
    return session;
  };
  const request = (session: ClientHttp2Session, path: string, method = 'POST'): ClientHttp2Stream => {
    const headers = { ':method': method, ':path': path, authorization: `Bearer ${options.readToken()}` };
    return session.request(headers, { endStream: false });
  };
  const post = async (path: string, body: unknown): Promise<{ readonly status: number; readonly body: Buffer }> => {
    const session = currentSession();
    const stream = request(session, path);
    // The whole connection: one that leads to an agent's former pod would not answer the next request either.
    using _deadline = clock.after(answerTimeoutMs, () => session.destroy());
    stream.end(JSON.stringify(body));
    const status = await statusOf(stream);
    return { status, body: await readBody(stream) };
  };
  const currentSession = (): ClientHttp2Session => {
    if (control === undefined || control.destroyed || control.closed) control = openSession();
    return control;
  };
  const sendReport = () => {
    const report = waiting;
    waiting = undefined;
    timer = undefined;
    if (report === undefined) return;
    timer = clock.after(moverReportIntervalMs, sendReport);
    // A report that is lost is followed by another; the result travels elsewhere.
    post(moverPaths.report(run), report).catch(() => undefined);
  };
  return {
    async openStream(role, signal) {
      signal.throwIfAborted();
      const session = openSession();
      const stop = () => session.destroy();
      signal.addEventListener('abort', stop, { once: true });
      session.on('close', () => signal.removeEventListener('abort', stop));
      const stream = request(session, moverPaths.stream(run, role));
      stream.on('close', () => session.close());
      // A connection that leads nowhere (a node that vanished) ends by itself only after many minutes.
      using _deadline = clock.after(openTimeoutMs, stop);
      const status = await statusOf(stream);
      if (status === 200) return stream;
      session.destroy();
      throw new LinkBroken(`The agent answered ${status} to the request for a stream`);
    },
    report(report) {
      waiting = report;
      if (timer === undefined) sendReport();
    },
    async fetchTree({ role, volume, file, limitBytes }, signal) {
      const stream = request(currentSession(), moverPaths.tree(run, role, volume), 'GET');
      stream.end();
      using _stop = destroyOn(signal, stream);
      const status = await statusOf(stream);
      if (status !== 200) return;
      await pipeline(stream, atMost(limitBytes), createWriteStream(file, { mode: 0o600 }), { signal });
    },
    async handTree({ role, volume, file }, signal) {
      const stream = request(currentSession(), moverPaths.tree(run, role, volume), 'PUT');
      using _stop = destroyOn(signal, stream);
      const answered = statusOf(stream);
      // It is awaited only after all was sent.
      answered.catch(() => undefined);
      await pipeline(createReadStream(file), stream, { signal });
      const status = await answered;
      if (status !== 204) throw new LinkBroken(`The agent answered ${status} to what the next sync should know`);
    },
    async awaitGate(signal) {
      for (;;) {
        const answer = await askGate(() => post(moverPaths.gate(run, 'apply'), {}));
        if (answer.state !== 'Wait') return answer;
        await clock.sleep(Math.min(longestGateRetryMs, Math.max(100, answer.retryAfterMs)), signal);
      }
    },
    async close() {
      timer?.[Symbol.dispose]();
      const open = [...sessions];
      const closed = open.map((session) => new Promise<void>((resolve) => void session.once('close', resolve)));
      for (const session of open) session.close();
      // A deadline, not a sleep beside them: that would keep the process alive when all have closed.
      using _deadline = clock.after(closingMs, () => {
        for (const session of open) session.destroy();
      });
      await Promise.all(closed);
    },
  };
}

/** An agent that can't be reached or doesn't know us yet is asked again: only its own word opens or closes the gate. */
async function askGate(ask: () => Promise<{ readonly status: number; readonly body: Buffer }>): Promise<GateAnswer> {
  try {
    const { status, body } = await ask();
    if (status === 200 || status === 202 || status === 409) return parseGateAnswer(body);
  } catch (error) {
    if (!(error instanceof LinkBroken) && !(error instanceof StorkError)) throw error;
  }
  return { state: 'Wait', retryAfterMs: gateRetryMs };
}

function destroyOn(signal: AbortSignal, stream: ClientHttp2Stream): Disposable {
  const stop = () => stream.destroy();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', stop) };
}

function statusOf(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    stream.once('response', (headers) => resolve(Number(headers[':status'] ?? 0)));
    stream.once('error', (cause) => reject(new LinkBroken('The agent can not be reached', { cause })));
    stream.once('close', () => reject(new LinkBroken('The agent closed the connection')));
  });
}

async function readBody(stream: ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > moverReportLimitBytes) throw new LinkBroken('The agent answered too much');
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new LinkBroken('The agent broke off its answer', { cause });
  }
  return Buffer.concat(chunks);
}
