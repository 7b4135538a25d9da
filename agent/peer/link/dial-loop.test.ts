import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { type DialOutcome, retryDelayMs, startDialLoop } from './dial-loop.ts';

/** A loop whose dials answer as told, and whose link stays up until `break` is called. */
function aLoop(endpoints: readonly string[], outcomes: readonly DialOutcome[]) {
  const clock = manualClock();
  const stop = new AbortController();
  const dialled: { readonly endpoint: string; readonly atMs: number }[] = [];
  let up = false;
  const loop = startDialLoop({
    endpoints: () => (up ? [] : endpoints),
    async dial(endpoint) {
      const outcome = outcomes[dialled.length] ?? { do: 'connected' };
      dialled.push({ endpoint, atMs: clock.monotonicMs() });
      up = outcome.do === 'connected';
      return outcome;
    },
    sinceConnectedMs: () => undefined,
    clock,
    random: () => 0,
    signal: stop.signal,
  });
  return {
    clock,
    dialled,
    loop,
    break() {
      up = false;
      loop.poke();
    },
    async stop() {
      stop.abort();
      await loop.done;
    },
  };
}

const lost: DialOutcome = { do: 'retry', refusal: undefined };
const atMs = (given: { readonly atMs: number }) => given.atMs;

describe('dialling', () => {
  it('asks a peer that was here a moment ago often, and one that is long gone seldom', () => {
    const given = { refusal: undefined, failures: 9, random: () => 0 };
    assert.equal(retryDelayMs({ ...given, sinceConnectedMs: 60_000 }), 1500);
    assert.equal(retryDelayMs({ ...given, failures: 1, sinceConnectedMs: 60_000 }), 500);
    assert.equal(retryDelayMs({ ...given, sinceConnectedMs: 600_000 }), 30_000);
    assert.equal(retryDelayMs(given), 30_000);
  });

  it('begins anew without waiting when it is encouraged', async () => {
    const { clock, dialled, loop, stop } = aLoop(['a', 'b'], [lost, lost, lost, lost]);
    await clock.advance(4000);
    loop.encourage();
    await clock.advance(0);
    assert.deepEqual(
      dialled.map(({ endpoint }) => endpoint),
      ['a', 'b', 'a', 'b', 'a'],
    );
    assert.deepEqual(dialled.map(atMs), [0, 500, 1500, 3500, 4000]);
    await stop();
  });

  it('backs off after failures, trying the addresses in turn', async () => {
    const { clock, dialled, stop } = aLoop(['a', 'b'], [lost, lost, lost]);
    await clock.advance(10_000);
    assert.deepEqual(
      dialled.map(({ endpoint }) => endpoint),
      ['a', 'b', 'a', 'b'],
    );
    assert.deepEqual(dialled.map(atMs), [0, 500, 1500, 3500]);
    await stop();
  });

  it('starts again soon after a link that stood, and slower and slower after ones that break at once', async () => {
    const { clock, dialled, stop, ...loop } = aLoop(['a'], []);
    await clock.advance(60_000);
    loop.break();
    await clock.advance(0);
    assert.equal(dialled.length, 2);
    for (let round = 0; round < 4; round++) {
      loop.break();
      await clock.advance(20_000);
      loop.break();
      await clock.advance(0);
    }
    for (let round = 0; round < 3; round++) {
      loop.break();
      await clock.advance(4_000);
    }
    const gaps = dialled.map(atMs).map((ms, index, all) => ms - (all[index - 1] ?? 0));
    assert.ok((gaps.at(-1) ?? 0) >= 500, JSON.stringify(gaps));
    await stop();
  });

  it('rests without end while there is nothing to dial, until poked', async () => {
    const { clock, dialled, stop } = aLoop([], []);
    await clock.advance(3_600_000);
    assert.equal(dialled.length, 0);
    await stop();
  });

  const random = () => 0;
  const refused = (code: string) => ({ code, message: '' });
  for (const [what, refusal, failures, expected] of [
    ['shortly while a confirmation is awaited', refused('AwaitingConfirmation'), 50, 2_000],
    ['long after a refusal', refused('UnknownPair'), 1, 30_000],
    ['at most half a minute after failures', undefined, 50, 30_000],
  ] as const) {
    it(`rests ${what}`, () => assert.equal(retryDelayMs({ refusal, failures, random }), expected));
  }
});
