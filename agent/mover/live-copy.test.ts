import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { chanceBytes, copyVolume, digestOf, scratch, seededChance } from './testing/test-volumes.ts';

describe('a live copy', () => {
  it('of files that change, grow, shrink and vanish ends with equal digests and counted warnings', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    const chance = seededChance(11);
    mkdirSync(`${from}/busy`, { recursive: true });
    mkdirSync(to);
    const name = (at: number) => `${from}/busy/f${at}`;
    for (let at = 0; at < 200; at++) writeFileSync(name(at), chanceBytes(chance, 40_000));
    writeFileSync(`${from}/large`, chanceBytes(chance, 24 * 1024 * 1024));
    let step = 0;
    const meddle = setInterval(() => {
      step++;
      const at = Math.floor(chance() * 200);
      if (step % 5 === 0) rmSync(name(at), { force: true });
      else if (step % 5 === 1) appendFileSync(name(at), 'more');
      else if (step % 5 === 2) writeFileSync(name(at), chanceBytes(chance, 20_000));
      else if (step % 5 === 4) renameSync(`${from}/large`, `${from}/large`);
      // Each time, so that it happens while it is read.
      truncateSync(`${from}/large`, 24 * 1024 * 1024 - step * 1000);
    }, 1);
    try {
      const { source, destination } = await copyVolume({ from, to, staging, run: 'live' });
      assert.equal(destination.digest, source.digest);
      assert.equal((await digestOf(to)).digest, source.digest);
      const kinds = Object.keys(source.warnings);
      assert.ok(kinds.length > 0, 'nothing was noticed');
      assert.deepEqual(
        kinds.filter((kind) => !['changed', 'grew', 'shrank', 'vanished'].includes(kind)),
        [],
      );
    } finally {
      clearInterval(meddle);
    }
  });
});
