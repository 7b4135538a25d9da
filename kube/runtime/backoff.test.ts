import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs } from './backoff.ts';

const backoff = { baseMs: 100, maxMs: 1000, factor: 2, jitter: 0.5 };

describe('backoff', () => {
  for (const [failures, random, expectedMs] of [
    [0, 0, 100],
    [1, 0, 100],
    [2, 0, 200],
    [5, 0, 1000],
    [10_000, 0, 1000],
    [1, 0.999, 50],
    [3, 0.5, 300],
  ] as const)
    it(`waits ${expectedMs} ms after ${failures} failures with random ${random}`, () => {
      assert.equal(
        backoffMs(backoff, failures, () => random),
        expectedMs,
      );
    });
});
