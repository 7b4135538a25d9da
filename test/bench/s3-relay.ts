/**
 * A relay of ours before an S3 server: one link of a given rate that all its connections share, a delay before each request, and
 * requests that fail, half of them answered with 503, half cut off. Signatures hold, as the Host header stays the client's.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface S3RelayShape {
  /** Each way; undefined for no bound. */
  readonly bytesPerSecond?: number | undefined;
  readonly delayMs: number;
  /** In [0, 1). */
  readonly failing: number;
}

export interface S3Relay extends AsyncDisposable {
  readonly endpoint: string;
  readonly counts: { requests: number; failed: number; bytesUp: number; bytesDown: number };
}

/** @param chance in [0, 1) */
export async function startS3Relay(target: string, shape: S3RelayShape, chance: () => number): Promise<S3Relay> {
  const counts = { requests: 0, failed: 0, bytesUp: 0, bytesDown: 0 };
  const [up, down] = [sharedLink(shape.bytesPerSecond), sharedLink(shape.bytesPerSecond)];
  const { hostname, port } = new URL(target);
  const relay = async (asked: IncomingMessage, answer: ServerResponse): Promise<void> => {
    counts.requests++;
    await sleep(shape.delayMs);
    if (chance() < shape.failing) {
      counts.failed++;
      return fail(asked, answer, chance() < 0.5);
    }
    const { expect: _, ...headers } = asked.headers;
    const onward = request({ hostname, port, method: asked.method, path: asked.url, headers });
    const answered = once(onward, 'response');
    // Looked at below; what is not sent fully ends both.
    answered.catch(() => undefined);
    await pipeline(
      asked,
      up((length) => (counts.bytesUp += length)),
      onward,
    );
    const [theirs]: IncomingMessage[] = await answered;
    if (theirs === undefined) return;
    answer.writeHead(theirs.statusCode ?? 502, theirs.headers);
    await pipeline(
      theirs,
      down((length) => (counts.bytesDown += length)),
      answer,
    );
  };
  const server = createServer((asked, answer) => {
    relay(asked, answer).catch(() => answer.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function fail(asked: IncomingMessage, answer: ServerResponse, isCut: boolean): void {
  if (isCut) return void asked.destroy();
  asked.resume();
  answer.writeHead(503, { 'content-length': 0, connection: 'close' }).end();
}

/** Timers are no finer: so much sooner than the rate allows bytes may pass. */
const slackMs = 5;

function sharedLink(bytesPerSecond: number | undefined): (onBytes: (length: number) => void) => Transform {
  let freeAt = 0;
  return (onBytes) =>
    new Transform({
      highWaterMark: 1024 * 1024,
      transform(chunk: Buffer, _encoding, done) {
        onBytes(chunk.length);
        if (bytesPerSecond === undefined) return done(null, chunk);
        const now = performance.now();
        freeAt = Math.max(freeAt, now) + (chunk.length / bytesPerSecond) * 1000;
        if (freeAt - now > slackMs) setTimeout(() => done(null, chunk), freeAt - now);
        else done(null, chunk);
      },
    });
}
