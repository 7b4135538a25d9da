import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resticMissing } from './testing/stock-restic.ts';
import { tortureRun } from './testing/torture-run.ts';

/** The same in every run: seeds that nobody has tried yet are for `npm run test:torture`. */
const first = 1;

describe('a repository under torture', { skip: resticMissing }, () => {
  for (let seed = first; seed < first + 10; seed++)
    it(`stays whole; again with: npm run test:torture -- --runs 1 --seed ${seed}`, async () => {
      const { problems } = await tortureRun(seed);
      assert.deepEqual(problems, []);
    });
});
