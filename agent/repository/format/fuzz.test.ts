import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fuzzParsers } from '../testing/fuzz-parsers.ts';
import { seededRandom } from '../testing/seeded-random.ts';

/** The same in every run; fuzzParsers takes any. */
const seed = 1;

describe('parsers of a repository', () => {
  it(`take damaged documents or refuse them with a typed error, seed ${seed}`, () => {
    const { tried, accepted, crashes } = fuzzParsers(1000, seededRandom(seed));
    assert.deepEqual(crashes, []);
    assert.ok(accepted > 0 && accepted < tried);
  });
});
