import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import { resticMissing } from './testing/stock-restic.ts';
import { tortureRun } from './testing/torture-run.ts';

const first = randomInt(2 ** 31);

describe('a repository under torture', { skip: resticMissing }, () => {
  for (let seed = first; seed < first + 10; seed++)
    it(`stays whole; again with: npm run test:torture -- --runs 1 --seed ${seed}`, async () => {
      const { problems } = await tortureRun(seed);
      assert.deepEqual(problems, []);
    });
});
