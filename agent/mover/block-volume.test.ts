import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { chanceBytes, copyVolume, scratch, seededChance } from './testing/test-volumes.ts';

const mb = 1024 * 1024;

function write(path: string, offset: number, bytes: Buffer): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

describe('a raw block volume', () => {
  it('crosses without its empty parts, into a larger one, and again with only what changed', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    const chance = seededChance(5);
    writeFileSync(from, '');
    truncateSync(from, 160 * mb);
    write(from, 0, chanceBytes(chance, 100_000));
    write(from, 100 * mb + 4096, chanceBytes(chance, 3 * mb));
    writeFileSync(to, chanceBytes(chance, 2 * mb));
    truncateSync(to, 200 * mb);
    const first = await copyVolume({ from, to, staging, kind: 'block', run: 'first' });
    assert.equal(first.destination.digest, first.source.digest);
    assert.ok(first.destination.bytesSent < 3.4 * mb, `sent ${first.destination.bytesSent}`);
    assert.ok(statSync(to).blocks * 512 < 8 * mb);
    assert.equal(Buffer.compare(readFileSync(from), readFileSync(to).subarray(0, 160 * mb)), 0);

    write(from, 101 * mb, Buffer.alloc(mb));
    write(from, 150 * mb, chanceBytes(chance, 16_384));
    const expectDigest = first.destination.digest;
    const second = await copyVolume({ from, to, staging, kind: 'block', run: 'second', mode: 'update', expectDigest });
    assert.equal(second.destination.digest, second.source.digest);
    assert.equal(second.destination.blocksSent, 1);
    assert.equal(Buffer.compare(readFileSync(from), readFileSync(to).subarray(0, 160 * mb)), 0);
  });

  it('is refused when the destination is smaller', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    writeFileSync(from, Buffer.alloc(mb));
    writeFileSync(to, Buffer.alloc(mb / 2));
    await assert.rejects(copyVolume({ from, to, staging, kind: 'block', run: 'first' }), { code: 'VolumeTooSmall' });
  });
});
