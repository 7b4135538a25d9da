import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { chanceBytes, copyVolume, scratch, seededChance } from '../../mover/testing/test-volumes.ts';

const sizeBytes = 6 * 1024 * 1024;

describe('attack: claiming chunks by their hashes', () => {
  it('content that only another volume of the destination holds is asked for in full, never taken from there', async () => {
    using space = scratch();
    const secret = chanceBytes(seededChance(11), sizeBytes);
    for (const [namespace, file] of [
      ['theirs', 'table'],
      ['mine', 'claimed'],
    ] as const) {
      const [from, to] = [space.path(`from-${namespace}`), space.path(`to-${namespace}`)];
      mkdirSync(from);
      mkdirSync(to);
      writeFileSync(`${from}/${file}`, secret);
      const copied = await copyVolume({ from, to, staging: space.path(`staging-${namespace}`), run: namespace });
      assert.ok(copied.destination.bytesSent >= sizeBytes, `${namespace} sent ${copied.destination.bytesSent}`);
      assert.deepEqual(readFileSync(`${to}/${file}`), Buffer.from(secret));
    }
  });
});
