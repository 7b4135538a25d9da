import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import { seededRandom } from '../testing/crashing-store.ts';
import { fuzzParsers } from '../testing/fuzz-parsers.ts';

const seed = randomInt(2 ** 31);

describe('parsers of a repository', () => {
  it(`take damaged documents or refuse them with a typed error, seed ${seed}`, () => {
    const { tried, accepted, crashes } = fuzzParsers(1000, seededRandom(seed));
    assert.deepEqual(crashes, []);
    assert.ok(accepted > 0 && accepted < tried);
  });
});
