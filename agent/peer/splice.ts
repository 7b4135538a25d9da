/**
 * Joins two byte streams, each direction on its own: backpressure passes through, an end is passed on as a half-close, and
 * when either stream breaks the other is destroyed, so that both movers notice and start anew.
 */
import type { Duplex } from 'node:stream';
import { StorkError } from '../../kube/errors.ts';

export interface Splice {
  /** Resolves once both directions ended well; rejects when either stream broke. */
  readonly done: Promise<void>;
  /** Breaks both streams. */
  end(): void;
}

export interface SpliceCounts {
  /** Hears of bytes as they pass. */
  onBytes(direction: 'toRight' | 'toLeft', sizeBytes: number): void;
}

export function spliceStreams(left: Duplex, right: Duplex, counts: SpliceCounts): Splice {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  let state: 'open' | 'broken' | 'done' = 'open';
  const breakBoth = (cause?: unknown) => {
    if (state !== 'open') return;
    state = 'broken';
    const message = 'A stream between two movers broke';
    const error = new StorkError({ code: 'StreamBroken', message, retryable: true, cause });
    // With an error: without one HTTP/2 resets a stream with code 0, which the other end can't tell from a good end, and
    // `close(code)` would even send a regular end first.
    left.destroy(error);
    right.destroy(error);
    reject(error);
  };
  const finished = new Set<Duplex>();
  const finish = (to: Duplex) => {
    finished.add(to);
    if (finished.size < 2 || state !== 'open') return;
    state = 'done';
    resolve();
  };
  for (const stream of [left, right]) {
    stream.on('error', breakBoth);
    // HTTP/2 says `aborted` when the other side reset the stream; the `end` that may follow must not be passed on.
    stream.on('aborted', () => breakBoth());
    stream.on('close', () => {
      if (!stream.readableEnded || !finished.has(stream)) breakBoth();
    });
  }
  pour(left, right, { onBytes: (sizeBytes) => counts.onBytes('toRight', sizeBytes), finish, breakBoth });
  pour(right, left, { onBytes: (sizeBytes) => counts.onBytes('toLeft', sizeBytes), finish, breakBoth });
  if (left.destroyed || right.destroyed) breakBoth();
  return { done, end: () => breakBoth() };
}

function pour(
  from: Duplex,
  to: Duplex,
  hooks: {
    readonly onBytes: (sizeBytes: number) => void;
    readonly finish: (to: Duplex) => void;
    readonly breakBoth: () => void;
  },
): void {
  from.on('data', (piece: Buffer) => {
    hooks.onBytes(piece.length);
    if (!to.write(piece)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.once('end', () => {
    if (wasReset(from) || to.destroyed) return hooks.breakBoth();
    to.once('finish', () => hooks.finish(to));
    to.end();
  });
}

/** An HTTP/2 stream that was reset also ends its readable side. */
const wasReset = (stream: Duplex) => 'rstCode' in stream && typeof stream.rstCode === 'number' && stream.rstCode !== 0;
