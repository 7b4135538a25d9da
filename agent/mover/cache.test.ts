import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { systemClock } from '../../kube/clock.ts';
import {
  type CopyOptions,
  chanceBytes,
  copyVolume,
  digestOf,
  type Scratch,
  scratch,
  seededChance,
} from './testing/test-volumes.ts';
import { type CacheOptions, cacheFileName } from './tree-cache.ts';

const files = 12;
const size = 4000;

/** A while later: what was just written is old enough to be believed. */
const later = { ...systemClock(), now: () => new Date(Date.now() + 60_000) };

async function copiedWithCache(
  space: Scratch,
  options: Partial<CacheOptions> = {},
  more: (root: string) => void = () => undefined,
) {
  const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
  mkdirSync(`${from}/d`, { recursive: true });
  mkdirSync(to);
  for (let at = 0; at < files; at++) writeFileSync(`${from}/d/f${at}`, `${at}`.padEnd(size, 'x'));
  more(from);
  const cache: CacheOptions = {
    directory: space.path('cache'),
    guardMs: 1000,
    read: 'Changed',
    limitBytes: 2 ** 30,
    ...options,
  };
  const both = { cache, clock: later };
  let last = await copyVolume({ from, to, staging, run: 'first', source: both, destination: both });
  let runs = 0;
  const sync = async (use: Partial<CacheOptions> = {}, other: CopyOptions['destination'] = {}) => {
    const used = { cache: { ...cache, ...use }, clock: later };
    const expectDigest = last.destination.digest;
    const run = `sync-${runs++}`;
    last = await copyVolume({
      from,
      to,
      staging,
      run,
      mode: 'update',
      expectDigest,
      source: used,
      destination: { ...used, ...other },
    });
    assert.equal(last.destination.digest, (await digestOf(from)).digest);
    assert.equal(last.destination.digest, (await digestOf(to)).digest);
    return last;
  };
  return { from, to, cache: cache.directory, sync };
}

describe('a sync with a cache', () => {
  it('reads nothing that did not change, on neither side', async () => {
    using space = scratch();
    const { from, sync } = await copiedWithCache(space);
    const unchanged = await sync();
    assert.equal(unchanged.source.bytesRead + unchanged.destination.bytesRead, 0);
    writeFileSync(`${from}/d/f3`, 'other');
    const { source, destination } = await sync();
    // Once to be sent, without being asked for; there to see that it was written.
    assert.deepEqual([source.bytesRead, destination.bytesRead], [5, 5]);
    const again = await sync();
    assert.equal(again.source.bytesRead + again.destination.bytesRead, 0);
  });

  it('sends what a large file grew by, also when it is what its last block was', async () => {
    using space = scratch();
    const block = chanceBytes(seededChance(4), 16 * 1024);
    const { from, sync } = await copiedWithCache(space, {}, (root) => {
      writeFileSync(`${root}/grows`, Buffer.concat([chanceBytes(seededChance(6), 16 * 16 * 1024), block]));
    });
    for (let times = 0; times < 2; times++) {
      writeFileSync(`${from}/grows`, block, { flag: 'a' });
      await sync();
    }
  });

  it('names what both know by runs, around all that is new, gone, replaced, linked or large', async () => {
    using space = scratch();
    const { from, sync } = await copiedWithCache(space, {}, (root) => {
      for (let at = 100; at < 400; at++) {
        mkdirSync(`${root}/many/d${at}`, { recursive: true });
        writeFileSync(`${root}/many/d${at}/f`, `${at}`);
      }
      symlinkSync('d/f1', `${root}/link`);
      linkSync(`${root}/d/f2`, `${root}/d/f2-too`);
      writeFileSync(`${root}/large`, chanceBytes(seededChance(3), 5 * 1024 * 1024));
    });
    const { destination } = await sync();
    // Without runs: at least the hash of each of some 300 files.
    assert.ok(destination.bytesSent < 4000, `sent ${destination.bytesSent}`);
    rmSync(`${from}/many/d100`, { recursive: true });
    rmSync(`${from}/many/d200/f`);
    rmSync(`${from}/many/d399`, { recursive: true });
    writeFileSync(`${from}/many/d300/e`, 'new, before f');
    writeFileSync(`${from}/many/d350-`, 'new, after d350 and all in it');
    rmSync(`${from}/many/d360`, { recursive: true });
    writeFileSync(`${from}/many/d360`, 'a file now');
    rmSync(`${from}/link`);
    mkdirSync(`${from}/link`);
    rmSync(`${from}/d/f2`);
    await sync();
    renameSync(`${from}/many`, `${from}/more`);
    await sync();
    assert.ok((await sync()).destination.bytesSent < 4000);
  });

  it('refuses a destination that lost a file, and one whose metadata changed', async () => {
    using space = scratch();
    const { to, sync } = await copiedWithCache(space);
    chmodSync(`${to}/d/f7`, 0o600);
    await assert.rejects(sync(), { code: 'DestinationChanged' });
    rmSync(`${to}/d/f7`);
    await assert.rejects(sync(), { code: 'DestinationChanged' });
  });

  it('starts over, and reads all of a destination that was touched since and is what it was', async () => {
    using space = scratch();
    const { from, to, sync } = await copiedWithCache(space);
    writeFileSync(`${from}/d/f3`, 'other');
    const { mode } = statSync(`${to}/d/f5`);
    chmodSync(`${to}/d/f5`, 0o600);
    chmodSync(`${to}/d/f5`, mode);
    const { destination } = await sync();
    assert.equal(destination.bytesRead, files * size + 5);
    writeFileSync(`${from}/d/f3`, 'again');
    assert.equal((await sync()).destination.bytesRead, 5);
  });

  it('sends the changed blocks of a large file, which only the source reads whole', async () => {
    using space = scratch();
    const large = 6 * 1024 * 1024;
    const { from, to, sync } = await copiedWithCache(space, {}, (root) =>
      writeFileSync(`${root}/table`, chanceBytes(seededChance(5), large)),
    );
    const fd = openSync(`${from}/table`, 'r+');
    writeSync(fd, 'changed', 5_000_000);
    closeSync(fd);
    const { source, destination } = await sync();
    assert.deepEqual([source.bytesRead, destination.blocksSent], [large, 1]);
    assert.ok(readFileSync(`${to}/table`).equals(readFileSync(`${from}/table`)));
  });

  it('reads everything when one side has lost what it kept', async () => {
    using space = scratch();
    const { from, cache, sync } = await copiedWithCache(space);
    rmSync(`${cache}/${cacheFileName('data', 'source')}`);
    writeFileSync(`${from}/d/f3`, 'other');
    const withoutSource = await sync();
    assert.deepEqual(
      [withoutSource.source.bytesRead, withoutSource.destination.bytesRead],
      [(files - 1) * size + 10, size + 5],
    );
    rmSync(`${cache}/${cacheFileName('data', 'destination')}`);
    // Its hashes were under a key that is lost.
    const withoutDestination = await sync();
    assert.equal(withoutDestination.source.bytesRead, (files - 1) * size + 5);
    assert.equal((await sync()).source.bytesRead, 0);
  });

  it('reads everything when it is told to', async () => {
    using space = scratch();
    const { sync } = await copiedWithCache(space);
    const { source, destination } = await sync({ read: 'All' });
    assert.deepEqual([source.bytesRead, destination.bytesRead], [files * size, files * size]);
  });

  it('finds a change whose time was put back', async () => {
    using space = scratch();
    const { from, to, sync } = await copiedWithCache(space);
    const { atime, mtime } = statSync(`${from}/d/f7`);
    writeFileSync(`${from}/d/f7`, 'y'.repeat(size));
    utimesSync(`${from}/d/f7`, atime, mtime);
    await sync();
    assert.equal(readFileSync(`${to}/d/f7`, 'utf8'), 'y'.repeat(size));
  });

  it('reads again what changed within the guard', async () => {
    using space = scratch();
    const { sync } = await copiedWithCache(space, { guardMs: 3_600_000 });
    assert.equal((await sync()).source.bytesRead, files * size);
  });

  for (const [what, damage] of [
    ['cut short', (file: string) => truncateSync(file, statSync(file).size - 50)],
    ['altered', alterMiddle],
    ['empty', (file: string) => truncateSync(file, 0)],
  ] as const)
    it(`takes a file that is ${what} for none`, async () => {
      using space = scratch();
      const { cache, sync } = await copiedWithCache(space);
      for (const name of readdirSync(cache)) damage(`${cache}/${name}`);
      const { source, destination } = await sync();
      assert.deepEqual([source.bytesRead, destination.bytesRead], [files * size, files * size]);
    });

  it('believes nothing of another tree', async () => {
    using space = scratch();
    const { from, sync } = await copiedWithCache(space);
    renameSync(from, `${from}-before`);
    mkdirSync(`${from}/d`, { recursive: true });
    for (let at = 0; at < files; at++) writeFileSync(`${from}/d/f${at}`, 'z'.repeat(size));
    const { source } = await sync();
    assert.ok(source.bytesRead >= files * size);
  });

  it('refuses a destination that was written since, its time put back', async () => {
    using space = scratch();
    const { to, sync } = await copiedWithCache(space);
    const { atime, mtime } = statSync(`${to}/d/f7`);
    writeFileSync(`${to}/d/f7`, 'm'.repeat(size));
    utimesSync(`${to}/d/f7`, atime, mtime);
    await assert.rejects(sync(), { code: 'DestinationChanged' });
    assert.equal(readFileSync(`${to}/d/f7`, 'utf8'), 'm'.repeat(size));
  });

  it('refuses a destination that is written after it was found unchanged, before the gate opens', async () => {
    using space = scratch();
    const { from, to, sync } = await copiedWithCache(space);
    writeFileSync(`${from}/d/f3`, 'other');
    const awaitGate = async () => {
      writeFileSync(`${to}/d/f7`, 'm'.repeat(size));
      return { state: 'Go' } as const;
    };
    await assert.rejects(sync({}, { awaitGate }), { code: 'DestinationChanged' });
    assert.equal(readFileSync(`${to}/d/f3`, 'utf8').length, size);
  });

  it('reads everything of a destination that may be written over', async () => {
    using space = scratch();
    const { sync } = await copiedWithCache(space);
    const { source, destination } = await sync({}, { existing: 'Overwrite' });
    assert.deepEqual([source.bytesRead, destination.bytesRead], [files * size, files * size]);
  });

  it('keeps nothing that takes more room than it may', async () => {
    using space = scratch();
    const { cache, sync } = await copiedWithCache(space, { limitBytes: 500 });
    assert.deepEqual(readdirSync(cache), []);
    assert.equal((await sync()).source.bytesRead, files * size);
  });
});

function alterMiddle(file: string): void {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}
