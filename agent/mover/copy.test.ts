import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { SourceProgress } from './source-run.ts';
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

  it('tells while it runs what it read and sent of the volume', async () => {
    using space = scratch();
    const [from, to] = [space.path('from'), space.path('to')];
    mkdirSync(from);
    mkdirSync(to);
    writeFileSync(`${from}/large`, chanceBytes(seededChance(1), 9_000_000));
    const told: SourceProgress[] = [];
    const onProgress = (progress: SourceProgress) => void told.push(progress);
    const { source } = await copyVolume({ from, to, staging: space.path('staging'), source: { onProgress } });
    const volumes = told.flatMap((one) => one.volumes.filter(({ bytesSent }) => bytesSent > 0));
    const sent = volumes.map(({ bytesSent }) => bytesSent);
    assert.ok(sent.some((bytes) => bytes < source.bytesSent));
    assert.deepEqual(
      sent,
      sent.toSorted((one, other) => one - other),
    );
    assert.equal(volumes.at(-1)?.name, source.name);
    assert.equal(volumes.at(-1)?.bytesRead, source.bytesRead);
  });
});
