/**
 * A command in a container over WebSocket: v5.channel.k8s.io, which can close stdin, else v4. The exit code comes on the
 * error channel; a connection that ends without one is an error, never a success. Pings notice a dead connection.
 */
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { ApiError, StorkError } from '../errors.ts';
import { apiErrorOf, connectionFailure, parseStatus, readText } from './answer.ts';
import type { ExecRequest, ExecResult } from './client.ts';
import { core } from './core.ts';
import { execTimedOut } from './exec-errors.ts';
import { objectPath } from './object-path.ts';
import type { ImpersonationHeaders, Transport } from './transport.ts';

/** What the result keeps of each stream. */
export const execTailLength = 65_536;
const pingEveryMs = 15_000;
/** This many pings without any sign of life end the call. */
const missedPingsLimit = 3;
const maxMessageBytes = 16 * 1024 * 1024;
const maxRefusalBytes = 64 * 1024;
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const;

export async function execInPod(
  transport: Transport,
  headers: ImpersonationHeaders,
  userAgent: string,
  request: ExecRequest,
): Promise<ExecResult> {
  const about = `pods ${request.namespace}/${request.pod}`;
  request.signal?.throwIfAborted();
  const socket = await openSocket(transport, headers, userAgent, request);
  const { promise, resolve, reject } = Promise.withResolvers<ExecResult>();
  const onAbort = () => reject(request.signal?.reason);
  request.signal?.addEventListener('abort', onAbort, { once: true });
  if (request.signal?.aborted) onAbort();
  const { timeoutMs } = request;
  const deadline =
    timeoutMs === undefined
      ? undefined
      : transport.clock.after(timeoutMs, () => reject(execTimedOut(about, timeoutMs)));
  const pulse = watchPulse(socket, transport, () => reject(interrupted(about, 'The connection fell silent.')));
  const output = collectOutput(request);
  socket.on('message', (data: Buffer) => {
    pulse.beat();
    const [number] = data;
    if (number === channel.stdout) output.stdout.take(data.subarray(1));
    else if (number === channel.stderr) output.stderr.take(data.subarray(1));
    else if (number === channel.error) settleFromStatus(data.subarray(1), { about, resolve, reject, output });
  });
  socket.on('error', (error) => reject(connectionFailure(error, transport.server)));
  socket.on('close', (code) =>
    reject(interrupted(about, `The connection ended with code ${code} before the command did.`)),
  );
  socket.on('open', () => {
    try {
      sendInput(socket, request.stdin, about);
    } catch (error) {
      reject(error);
    }
  });
  try {
    return await promise;
  } finally {
    pulse[Symbol.dispose]();
    deadline?.[Symbol.dispose]();
    request.signal?.removeEventListener('abort', onAbort);
    socket.terminate();
  }
}

async function openSocket(
  transport: Transport,
  headers: ImpersonationHeaders,
  userAgent: string,
  request: ExecRequest,
): Promise<WebSocket> {
  const ws = await import('./web-socket.ts');
  const { agent, authorization } = await transport.upgrade(request.signal);
  const query = new URLSearchParams(request.command.map((part) => ['command', part]));
  if (request.container !== undefined) query.set('container', request.container);
  if (request.stdin !== undefined) query.set('stdin', 'true');
  query.set('stdout', 'true');
  query.set('stderr', 'true');
  const path = objectPath(core.pods, { namespace: request.namespace, name: request.pod }, 'exec');
  const url = `${transport.server.replace(/^http/, 'ws')}${path}?${query}`;
  const socket = new ws.WebSocket(url, protocols, {
    agent,
    headers: { ...headers, 'user-agent': userAgent, ...(authorization === undefined ? {} : { authorization }) },
    handshakeTimeout: transport.limits.answerWithinMs,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
  });
  socket.on('unexpected-response', (_, response: IncomingMessage) => {
    refusalOf(response, `pods ${request.namespace}/${request.pod}`).then((error) => socket.emit('error', error));
  });
  return socket;
}

async function refusalOf(response: IncomingMessage, about: string): Promise<Error> {
  try {
    return apiErrorOf(response.statusCode ?? 0, await readText(response, maxRefusalBytes, about), about);
  } catch {
    return apiErrorOf(response.statusCode ?? 0, '', about);
  }
}

/** Only v5 can say that stdin has ended; without that, a command reading it would wait for ever. */
function sendInput(socket: WebSocket, stdin: string | undefined, about: string): void {
  if (stdin === undefined) return;
  if (!socket.protocol.startsWith('v5.')) {
    const message = `The API server speaks ${socket.protocol} only, which can't close a command's input.`;
    throw new StorkError({ code: 'ExecInputUnsupported', message, about, hint: 'Kubernetes 1.30 and later can.' });
  }
  socket.send(Buffer.concat([Buffer.from([channel.stdin]), Buffer.from(stdin)]));
  socket.send(Buffer.from([channel.close, channel.stdin]));
}

interface Collected {
  take(bytes: Buffer): void;
  /** Ends the stream and answers its tail. */
  finish(): string;
}

function collectOutput({ onOutput }: ExecRequest): { readonly stdout: Collected; readonly stderr: Collected } {
  const collect = (stream: 'stdout' | 'stderr'): Collected => {
    const decoder = new TextDecoder();
    let tail = '';
    const add = (text: string) => {
      if (text === '') return;
      tail = (tail + text).slice(-execTailLength);
      onOutput?.(stream, text);
    };
    return {
      take: (bytes) => add(decoder.decode(bytes, { stream: true })),
      finish() {
        add(decoder.decode());
        return tail;
      },
    };
  };
  return { stdout: collect('stdout'), stderr: collect('stderr') };
}

interface Settling {
  readonly about: string;
  readonly output: ReturnType<typeof collectOutput>;
  resolve(result: ExecResult): void;
  reject(error: unknown): void;
}

function settleFromStatus(bytes: Buffer, { about, output, resolve, reject }: Settling): void {
  const verdict = readVerdict(bytes.toString('utf8'));
  if (verdict === 'NotYet') return;
  if (typeof verdict !== 'number') reject(new ApiError(verdict, about));
  else resolve({ exitCode: verdict, stdout: output.stdout.finish(), stderr: output.stderr.finish() });
}

/** The exit code of an error channel's Status, or the Status itself when the command didn't run. */
function readVerdict(text: string) {
  if (text === '') return 'NotYet';
  const status = parseStatus(500, text);
  if (isSuccess(text)) return 0;
  const exitCode = status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
  return status.reason === 'NonZeroExitCode' && exitCode !== undefined ? Number(exitCode) : status;
}

function isSuccess(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && 'status' in parsed && parsed.status === 'Success';
  } catch {
    return false;
  }
}

function watchPulse(socket: WebSocket, { clock }: Transport, onDeath: () => void): Disposable & { beat(): void } {
  let missed = 0;
  let timer: Disposable | undefined;
  const tick = () => {
    missed += 1;
    if (missed > missedPingsLimit) return onDeath();
    if (socket.readyState === socket.OPEN) socket.ping();
    timer = clock.after(pingEveryMs, tick);
  };
  const beat = () => {
    missed = 0;
  };
  socket.on('pong', beat);
  timer = clock.after(pingEveryMs, tick);
  return { beat, [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}

const interrupted = (about: string, message: string) =>
  new StorkError({
    code: 'ExecInterrupted',
    message,
    about,
    hint: 'Whether the command still runs is not known.',
    retryable: true,
  });
