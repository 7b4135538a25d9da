/** A link of a given rate and delay inside a relay of ours, for kernels that have no netem: one direction, backpressure kept. */
import { PassThrough, Transform } from 'node:stream';

export interface LinkShape {
  readonly bitsPerSecond: number;
  readonly delayMs: number;
}

/** Bytes are passed on no later than this ahead of the rate: timers are no finer. */
const slackMs = 2;

export function shapedLink(shape: LinkShape | undefined): Transform {
  if (shape === undefined) return new PassThrough();
  const bytesPerMs = shape.bitsPerSecond / 8000;
  let freeAt = 0;
  return new Transform({
    highWaterMark: 1024 * 1024,
    transform(chunk: Buffer, _encoding, done) {
      const now = performance.now();
      freeAt = Math.max(freeAt, now) + chunk.length / bytesPerMs;
      setTimeout(() => this.push(chunk), freeAt - now + shape.delayMs);
      if (freeAt - now > slackMs) setTimeout(done, freeAt - now);
      else done();
    },
    flush(done) {
      setTimeout(done, Math.max(0, freeAt - performance.now()) + shape.delayMs + slackMs);
    },
  });
}
