import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBackground, createPulse } from './pulse.ts';

describe('work in the background', () => {
  it('is idle after a failure that kept others from starting', { timeout: 60_000 }, async () => {
    const background = createBackground(1, createPulse());
    const { promise, reject } = Promise.withResolvers<void>();
    await background.start(() => promise);
    const waiting = background.start(async () => assert.fail('it must not begin'));
    reject(new Error('no room'));
    await assert.rejects(waiting, /no room/);
    await assert.rejects(
      background.start(async () => assert.fail('it must not begin')),
      /no room/,
    );
    await background.idle();
    assert.throws(() => background.check(), /no room/);
  });
});
