import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { openSyscalls } from './syscalls.ts';
import { copyVolume, digestOf, type Scratch, scratch } from './testing/test-volumes.ts';
import { canTell, fillWithEverything, listing } from './testing/tree-of-everything.ts';

const syscalls = openSyscalls();

async function copied(space: Scratch) {
  const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
  mkdirSync(from);
  mkdirSync(to);
  fillWithEverything(from);
  const result = await copyVolume({ from, to, staging, run: 'first' });
  const update = () =>
    copyVolume({ from, to, staging, run: 'second', mode: 'update', expectDigest: result.destination.digest });
  return { from, to, result, update };
}

describe('metadata', { skip: canTell ? false : 'needs root and python3' }, () => {
  it('arrives completely, as find, sha256sum and getxattr see it', async () => {
    using space = scratch();
    const { from, to, result } = await copied(space);
    assert.deepEqual(result.destination.degraded, {});
    assert.equal(result.destination.digest, result.source.digest);
    assert.equal(listing(to), listing(from));
    assert.equal(lstatSync(`${to}/dir/first`).ino, lstatSync(`${to}/third`).ino);
    assert.ok(lstatSync(`${to}/sparse`).blocks < 64);
  });

  it('arrives completely in an update that changes every kind', async () => {
    using space = scratch();
    const { from, to, update } = await copied(space);
    chmodSync(`${from}/setuid`, 0o4711);
    syscalls.removeXattr(`${from}/capable`, 'user.note');
    syscalls.setXattr(`${from}/dir`, { name: 'user.more', value: Buffer.from('more') });
    rmSync(`${from}/dir/first`);
    rmSync(`${from}/fifo`);
    writeFileSync(`${from}/fifo`, 'a file now');
    rmSync(`${from}/absolute`);
    symlinkSync('elsewhere', `${from}/absolute`);
    rmSync(`${from}/sticky`, { recursive: true });
    writeFileSync(`${from}/sticky`, 'was a directory');
    rmSync(`${from}/null`);
    syscalls.makeNode(`${from}/null`, 0o020666, 0x0105n);
    writeFileSync(`${from}/dir/second`, 'shared with third still');
    syscalls.setMtime(from, 77_000_000_007n);
    const second = await update();
    assert.equal(second.destination.digest, second.source.digest);
    assert.equal(listing(to), listing(from));
  });

  it('breaks a hard link without touching the other name', async () => {
    using space = scratch();
    const { from, to, update } = await copied(space);
    rmSync(`${from}/dir/second`);
    writeFileSync(`${from}/dir/second`, 'alone');
    rmSync(`${from}/dir/first`);
    writeFileSync(`${from}/dir/first`, 'alone too');
    const second = await update();
    assert.equal(second.destination.digest, second.source.digest);
    assert.equal(listing(to), listing(from));
  });

  it('changes the digest whenever anything it covers changes', async () => {
    using space = scratch();
    const { from } = await copied(space);
    const digests = new Set([(await digestOf(from)).digest]);
    const changes = [
      () => chmodSync(`${from}/empty`, 0o600),
      () => chownSync(`${from}/empty`, 5, 0),
      () => chownSync(`${from}/empty`, 5, 6),
      () => syscalls.setMtime(`${from}/empty`, 3n),
      () => syscalls.setXattr(`${from}/empty`, { name: 'user.a', value: Buffer.from('b') }),
      () => truncateSync(`${from}/sparse`, 64 * 1024 * 1024),
      () => linkSync(`${from}/empty`, `${from}/empty2`),
      () => rmSync(`${from}/fifo`),
    ];
    for (const change of changes) {
      change();
      digests.add((await digestOf(from)).digest);
    }
    assert.equal(digests.size, changes.length + 1);
  });
});
