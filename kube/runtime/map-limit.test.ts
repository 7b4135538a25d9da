import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../clock.ts';
import { mapLimit } from './map-limit.ts';

describe('mapLimit', () => {
  it('keeps the order of the list and never runs more than the limit', async () => {
    const clock = manualClock();
    let running = 0;
    let most = 0;
    const results = mapLimit([30, 10, 20, 5], 2, async (ms) => {
      running += 1;
      most = Math.max(most, running);
      await clock.sleep(ms);
      running -= 1;
      return `${ms}`;
    });
    await clock.advance(100);
    assert.deepEqual(await results, ['30', '10', '20', '5']);
    assert.equal(most, 2);
  });

  it('aborts and awaits the others on the first failure, then throws it', async () => {
    const clock = manualClock();
    const ended: string[] = [];
    const results = mapLimit(['slow', 'bad', 'never'], 2, async (item, signal) => {
      if (item === 'bad') throw new Error('bad');
      await clock.sleep(1000, signal).catch(() => {});
      ended.push(item);
    });
    await assert.rejects(results, /bad/);
    assert.deepEqual(ended, ['slow']);
  });

  it('rejects with the caller’s reason when aborted', async () => {
    const stop = new AbortController();
    const results = mapLimit([1, 2, 3], 1, async () => stop.abort(new Error('enough')), stop.signal);
    await assert.rejects(results, /enough/);
  });

  it('answers an empty list with an empty list', async () => {
    assert.deepEqual(await mapLimit([], 4, async () => 1), []);
  });
});
