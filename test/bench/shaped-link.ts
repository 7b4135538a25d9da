/** A link of a given rate and delay inside a relay of ours, for kernels that have no netem: one direction, backpressure kept. */
import { Transform } from 'node:stream';

export interface LinkShape {
  readonly bitsPerSecond: number;
  readonly delayMs: number;
}

/** Timers are no finer: so much sooner than the rate allows, and no more, bytes may be taken. */
const slackMs = 2;

export function shapedLink(shape: LinkShape): Transform {
  const bytesPerMs = shape.bitsPerSecond / 8000;
  const onTheWay: { readonly chunk: Buffer; readonly arrivesAt: number }[] = [];
  let freeAt = 0;
  const link = new Transform({
    highWaterMark: 1024 * 1024,
    transform(chunk: Buffer, _encoding, done) {
      const now = performance.now();
      freeAt = Math.max(freeAt, now) + chunk.length / bytesPerMs;
      onTheWay.push({ chunk, arrivesAt: freeAt + shape.delayMs });
      setTimeout(deliver, freeAt + shape.delayMs - now);
      if (freeAt - now > slackMs) setTimeout(done, freeAt - now);
      else done();
    },
    flush(done) {
      setTimeout(
        () => {
          for (const { chunk } of onTheWay.splice(0)) link.push(chunk);
          done();
        },
        Math.max(0, freeAt - performance.now()) + shape.delayMs,
      );
    },
  });
  // Timers of different lengths may fire out of order: whichever fires, the oldest bytes go first.
  const deliver = () => {
    const now = performance.now() + slackMs;
    while (onTheWay[0] !== undefined && onTheWay[0].arrivesAt <= now) link.push(onTheWay.shift()?.chunk);
  };
  return link;
}
