import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { manualClock } from '../../kube/clock.ts';
import { createFrameLink, frameTypes, LinkBroken } from './frame-link.ts';

/** A link, and the other end of its stream. */
function aLink() {
  const clock = manualClock();
  const [ours, theirs] = duplexPair();
  theirs.on('error', () => undefined).resume();
  return { clock, theirs, link: createFrameLink(ours, clock) };
}

/** As a link sends it: its length, its type, and itself. */
function frame(payload: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt8(frameTypes.control, 4);
  return Buffer.concat([header, payload]);
}

async function write(to: Duplex, bytes: Buffer): Promise<void> {
  to.write(bytes);
  await turn();
}

describe('a link of frames', () => {
  it('is broken when nothing at all is heard for 45 s', async () => {
    const { clock, link } = aLink();
    const heard = assert.rejects(
      link.receive(),
      (error) => error instanceof LinkBroken && /silent/.test(error.message),
    );
    await clock.advance(46_000);
    await heard;
    await assert.rejects(link.receive(), LinkBroken);
  });

  it('is whole while a frame comes slowly, and broken 45 s after its last piece', async () => {
    const { clock, link, theirs } = aLink();
    const whole = frame(Buffer.from('content'));
    const first = link.receive();
    for (const byte of whole) {
      await clock.advance(40_000);
      await write(theirs, Buffer.from([byte]));
    }
    assert.equal((await first).payload.toString(), 'content');
    const torn = assert.rejects(link.receive(), /silent/);
    await clock.advance(40_000);
    await write(theirs, whole.subarray(0, 6));
    await clock.advance(44_000);
    await write(theirs, whole.subarray(6, 7));
    await clock.advance(46_000);
    await torn;
    link.close();
  });

  it('is not called silent while nobody listens', async () => {
    const { clock, link, theirs } = aLink();
    await clock.advance(300_000);
    await write(theirs, frame(Buffer.from('late')));
    assert.equal((await link.receive()).payload.toString(), 'late');
    link.close();
  });
});
