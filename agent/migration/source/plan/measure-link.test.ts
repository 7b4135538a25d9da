import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../../../kube/clock.ts';
import { manualClock } from '../../../../kube/clock.ts';
import { StorkError } from '../../../../kube/errors.ts';
import type { PeerCall } from '../../../peer/peer.ts';
import { measureLink } from './measure-link.ts';

/** A link that takes so many bytes a second after so many milliseconds. */
function aLink(bytesPerSecond: number, delayMs: number) {
  let nowMs = 0;
  const sent: number[] = [];
  const clock: Clock = { ...manualClock(), monotonicMs: () => nowMs };
  const request = async <Out>({ body, answer }: PeerCall<Out>): Promise<Out> => {
    const { length } = JSON.stringify(body);
    sent.push(length);
    nowMs += delayMs + (length / bytesPerSecond) * 1000;
    void answer;
    return Object({});
  };
  const measure = () => measureLink({ request }, { clock, operation: 'uid', signal: new AbortController().signal });
  return { sent, measure };
}

describe('the speed of a link', () => {
  for (const [what, bytesPerSecond, delayMs, least, messages] of [
    ['slow', 100_000, 50, 0.85, 1],
    ['middling', 10_000_000, 50, 0.7, 4],
    ['fast', 1_000_000_000, 1, 0.7, 4],
  ] as const)
    it(`is found by few messages: ${what}`, async () => {
      const { measure, sent } = aLink(bytesPerSecond, delayMs);
      const found = (await measure()) ?? 0;
      assert.ok(found >= least * bytesPerSecond && found <= bytesPerSecond * 1.01, String(found));
      assert.ok(sent.length <= messages, String(sent));
    });

  it('is unknown of an older peer, and of one that answers too late', async () => {
    for (const code of ['UnknownRoute', 'PeerTimeout']) {
      const request = () => Promise.reject(new StorkError({ code, message: 'no' }));
      const signal = new AbortController().signal;
      assert.equal(await measureLink({ request }, { clock: manualClock(), operation: 'uid', signal }), undefined);
    }
  });
});
