import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../clock.ts';
import { taskGroup } from './task-group.ts';

describe('task group', () => {
  it('aborts the others on the first failure, and join throws that one', async () => {
    const clock = manualClock();
    const group = taskGroup();
    let ended = 'no';
    group.spawn(async (signal) => {
      await clock.sleep(60_000, signal).finally(() => {
        ended = 'yes';
      });
    });
    group.spawn(async () => {
      throw new Error('first');
    });
    await assert.rejects(group.join(), /first/);
    assert.equal(ended, 'yes');
  });

  it('ends quietly when it is stopped', async () => {
    const clock = manualClock();
    const group = taskGroup();
    group.spawn((signal) => clock.sleep(60_000, signal));
    group.stop();
    await group.join();
  });

  it('ends with its parent and lets no task outlive its block', async () => {
    const clock = manualClock();
    let ended = 'no';
    {
      await using group = taskGroup(new AbortController().signal);
      group.spawn(async (signal) => {
        await clock.sleep(60_000, signal).catch(() => {});
        ended = 'yes';
      });
    }
    assert.equal(ended, 'yes');
  });
});
