/**
 * The client side of a session: one JSON request, or one stream. Answers are capped and parsed; whatever goes wrong is a
 * StorkError that says whether repeating helps.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { parse, SchemaError } from '../../crds/schema/index.ts';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { connectionLost } from './link/frames.ts';
import { readJson } from './message.ts';
import { type PeerCall, peerLimits } from './peer.ts';
import { parsePeerError } from './peer-error.ts';

/** As `Peer.request`, on one session. */
export async function requestOn<Out>(session: ClientHttp2Session, call: PeerCall<Out>, clock: Clock): Promise<Out> {
  const bytes = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
  if (bytes !== undefined && bytes.length > peerLimits.messageBytes) {
    throw new StorkError({
      code: 'MessageTooLarge',
      message: `${call.method} ${call.path} would send ${bytes.length} bytes, more than ${peerLimits.messageBytes}`,
    });
  }
  const deadline = new AbortController();
  const deadlineMs = call.deadlineMs ?? peerLimits.requestDeadlineMs;
  using _timer = clock.after(deadlineMs, () => deadline.abort(tooLate(call, deadlineMs)));
  const signal = call.signal === undefined ? deadline.signal : AbortSignal.any([call.signal, deadline.signal]);
  const stream = start(session, call, signal);
  stream.end(bytes);
  const { status, body } = await untilAborted(stream, signal, async () => {
    const answered = await statusOf(stream);
    return { status: answered, body: await readJson(stream, peerLimits.messageBytes) };
  });
  if (status !== 200) throw parsePeerError(status, body);
  return parseAnswer(call, body);
}

/** As `Peer.openStream`, on one session. */
export async function openStreamOn(
  session: ClientHttp2Session,
  path: string,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Duplex> {
  const call = { method: 'POST', path } as const;
  const deadline = new AbortController();
  const deadlineMs = peerLimits.requestDeadlineMs;
  using _timer = clock.after(deadlineMs, () => deadline.abort(tooLate(call, deadlineMs)));
  const opening = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
  const stream = start(session, call, opening);
  await untilAborted(stream, opening, async () => {
    const status = await statusOf(stream);
    if (status !== 200) throw parsePeerError(status, await readJson(stream, peerLimits.messageBytes));
  });
  if (signal !== undefined) {
    // Not `close(code)`: that ends the stream in good order first.
    const cancel = () => stream.destroy(brokenBy(signal));
    signal.addEventListener('abort', cancel, { once: true });
    stream.once('close', () => signal.removeEventListener('abort', cancel));
  }
  return stream;
}

function start(
  session: ClientHttp2Session,
  call: Pick<PeerCall<unknown>, 'method' | 'path' | 'operation'>,
  signal: AbortSignal,
): ClientHttp2Stream {
  signal.throwIfAborted();
  if (session.closed || session.destroyed) throw connectionLost();
  const operation = call.operation === undefined ? {} : { 'stork-operation': call.operation };
  const headers = { ':method': call.method, ':path': call.path, ...operation };
  const stream = session.request(headers, { endStream: false });
  stream.on('error', ignoreLate);
  return stream;
}

/** Runs to the end, or cancels the stream and throws the signal's reason. */
async function untilAborted<T>(stream: ClientHttp2Stream, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await run();
  } catch (error) {
    stream.close(constants.NGHTTP2_CANCEL);
    signal.throwIfAborted();
    throw error instanceof StorkError ? error : connectionLost(error instanceof Error ? error : undefined);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function statusOf(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    stream.once('response', (headers) => resolve(headers[':status'] ?? 0));
    stream.once('error', (error) => reject(connectionLost(error)));
    stream.once('close', () => reject(connectionLost()));
  });
}

function parseAnswer<Out>(call: PeerCall<Out>, body: unknown): Out {
  try {
    return parse(call.answer, body);
  } catch (cause) {
    if (!(cause instanceof SchemaError)) throw cause;
    throw new StorkError({
      code: 'InvalidPeerMessage',
      message: `The peer's answer to ${call.method} ${call.path} is not what it should be: ${cause.message}`,
      cause,
    });
  }
}

const brokenBy = (signal: AbortSignal) =>
  new StorkError({ code: 'StreamBroken', message: 'The stream was given up', cause: signal.reason });

function tooLate(call: Pick<PeerCall<unknown>, 'method' | 'path'>, deadlineMs: number): StorkError {
  return new StorkError({
    code: 'PeerTimeout',
    message: `The peer did not answer ${call.method} ${call.path} within ${deadlineMs / 1000} s`,
    retryable: true,
  });
}

/** Errors are heard by who awaits the answer, later ones by `close`. */
const ignoreLate = () => {};
