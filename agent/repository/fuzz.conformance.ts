import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runFuzz } from './testing/fuzz/run-fuzz.ts';

/** The same in every run: seeds that nobody has tried yet are for `npm run test:fuzz`. */
const first = 1;
const runs = 10_000;

describe('parsers of a repository', () => {
  it('take damaged documents or refuse them with a typed error, in little memory', async () => {
    const { accepted, found } = await runFuzz(first, runs);
    assert.deepEqual(found, []);
    assert.ok(accepted > runs / 100 && accepted < runs, `${accepted} accepted`);
  });
});
