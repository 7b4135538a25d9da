import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LocalLimits, pacer, shareLimits, type Waiting } from './local-limits.ts';

const kib = 1024;

function sleepingClock() {
  let nowUs = 1_000_000n;
  const pass = (ms: number): void => {
    nowUs += BigInt(Math.round(ms * 1000));
  };
  const waiting: Waiting = { nowUs: () => nowUs, sleep: pass };
  return { waiting, pass, passedMs: () => Number(nowUs - 1_000_000n) / 1000 };
}

const paceOn = (...given: Parameters<typeof pacer>) => pacer(...given) ?? assert.fail('nothing is limited');

/** Two threads' paces on one account and one clock that only sleeping moves. */
function twoPaces(limits: LocalLimits) {
  const clock = sleepingClock();
  const shared = shareLimits(limits);
  return { paces: [paceOn(shared, clock.waiting), paceOn(shared, clock.waiting)] as const, passedMs: clock.passedMs };
}

describe('limits on local storage', () => {
  it('keep all threads together to their bytes a second', () => {
    const { paces, passedMs } = twoPaces({ bytesPerS: 100 * kib });
    for (let turn = 0; turn < 11; turn++) paces[turn % 2 === 0 ? 0 : 1](10 * kib);
    assert.equal(passedMs(), 1000);
  });

  it('count as one operation what lies together, up to 256 KiB', () => {
    const { paces, passedMs } = twoPaces({ operationsPerS: 10 });
    for (let turn = 0; turn < 10; turn++) paces[0](1);
    paces[1](1024 * kib);
    paces[1](1);
    assert.equal(passedMs(), 1400);
  });

  it('wait for whichever takes longer', () => {
    const { paces, passedMs } = twoPaces({ bytesPerS: 1000 * kib, operationsPerS: 2 });
    for (let turn = 0; turn < 3; turn++) paces[0](100 * kib);
    assert.equal(passedMs(), 1000);
  });

  it('do not let idle time be used up later', () => {
    const { waiting, pass, passedMs } = sleepingClock();
    const pace = paceOn(shareLimits({ bytesPerS: 1000 }), waiting);
    pace(1000);
    pass(60_000);
    pace(1000);
    pace(1000);
    assert.equal(passedMs(), 61_000);
  });

  it('are nothing when none is given', () => assert.equal(shareLimits({}), undefined));
});
