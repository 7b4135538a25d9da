/** A watch's bytes as events: lines within a cap, and a watchdog for a connection that has fallen silent. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import { assertBuffer, connectionFailure } from './answer.ts';

export interface WatchStreamContext {
  readonly server: string;
  readonly about: string;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** A stream on which nothing came for this long is given up: bookmarks come about every minute. */
  readonly silentAfterMs: number;
  readonly lineBytes: number;
}

/** Every complete line, parsed. Destroys the response when iteration ends, however it ends. */
export async function* jsonLines(response: IncomingMessage, context: WatchStreamContext): AsyncGenerator<unknown> {
  const { signal } = context;
  const onAbort = () => response.destroy(new Error('aborted'));
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const line of lines(response, context)) {
      signal?.throwIfAborted();
      yield JSON.parse(line);
    }
    signal?.throwIfAborted();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw connectionFailure(error, context.server);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    response.destroy();
  }
}

async function* lines(response: IncomingMessage, context: WatchStreamContext): AsyncGenerator<string> {
  const pieces = response[Symbol.asyncIterator]();
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for (;;) {
    const next = await nextPiece(pieces, response, context);
    if (next === undefined) return;
    let rest = next;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      const line = Buffer.concat([...pending, rest.subarray(0, end)]).toString('utf8');
      pending = [];
      pendingBytes = 0;
      rest = rest.subarray(end + 1);
      if (line !== '') yield line;
    }
    if (rest.length > 0) pending.push(rest);
    pendingBytes += rest.length;
    if (pendingBytes > context.lineBytes) {
      const message = `A watch event is longer than ${context.lineBytes} bytes.`;
      throw new StorkError({ code: 'AnswerTooLarge', message, about: context.about });
    }
  }
}

const newline = 0x0a;

/** The watchdog runs only while we wait for the server, not while our reader is busy. */
async function nextPiece(pieces: AsyncIterator<unknown>, response: IncomingMessage, context: WatchStreamContext) {
  const timer = context.clock.after(context.silentAfterMs, () => response.destroy(silent(context)));
  try {
    const next = await pieces.next();
    return next.done === true ? undefined : assertBuffer(next.value);
  } finally {
    timer[Symbol.dispose]();
  }
}

const silent = ({ server, silentAfterMs, about }: WatchStreamContext) =>
  new StorkError({
    code: 'ApiServerUnreachable',
    message: `The API server ${server} sent nothing on a watch for ${silentAfterMs} ms.`,
    about,
    retryable: true,
  });
