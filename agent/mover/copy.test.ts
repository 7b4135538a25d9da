import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { chanceBytes, copyVolume, digestOf, scratch, seededChance } from './testing/test-volumes.ts';

describe('a copy between two movers', () => {
  it('fills a fresh volume with an equal tree', async () => {
    using space = scratch();
    const [from, to] = [space.path('from'), space.path('to')];
    mkdirSync(`${from}/a/b`, { recursive: true });
    mkdirSync(to);
    writeFileSync(`${from}/a/one`, 'one');
    writeFileSync(`${from}/a/empty`, '');
    writeFileSync(`${from}/a/b/large`, chanceBytes(seededChance(1), 9_000_000));
    const { source, destination } = await copyVolume({ from, to, staging: space.path('staging') });
    assert.equal(destination.digest, source.digest);
    assert.equal((await digestOf(to)).digest, source.digest);
    assert.equal(readFileSync(`${to}/a/one`, 'utf8'), 'one');
  });
});
