import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { systemClock } from '../../kube/clock.ts';
import { chanceBytes, copyVolume, digestOf, memoryRelay, scratch, seededChance } from './testing/test-volumes.ts';

type Chance = () => number;
const pick = <T>(chance: Chance, list: readonly T[]): T | undefined => list[Math.floor(chance() * list.length)];

/** Never through a symlink: some of ours lead out of the tree. */
function namesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((found) => {
    const name = `${directory}/${found.name}`;
    return found.isDirectory() ? [name, ...namesBelow(name)] : [name];
  });
}

/** Does something to the tree; returns how many bytes of content it may have changed. */
function mutate(root: string, chance: Chance, step: number, kinds: Set<'moves' | 'edits'> = new Set()): number {
  const names = namesBelow(root);
  const directories = [root, ...names.filter((name) => lstatSync(name).isDirectory())];
  const files = names.filter((name) => lstatSync(name).isFile());
  const directory = pick(chance, directories) ?? root;
  const file = pick(chance, files);
  const fresh = `${directory}/${pick(chance, ['a', 'a-b', 'z', '~', 'Ä'])}${step}`;
  const size = Math.floor(chance() ** 4 * 6_000_000);
  const what = Math.floor(chance() * 10);
  if (what <= 2 || file === undefined) {
    writeFileSync(fresh, chanceBytes(chance, size));
    return size;
  }
  if (what >= 5 && what <= 7) kinds.add('moves');
  if (what >= 8) kinds.add('edits');
  if (what === 3) mkdirSync(fresh);
  if (what === 4) symlinkSync(pick(chance, ['..', 'a', '/nonexistent']) ?? '', fresh);
  if (what === 5) linkSync(file, fresh);
  if (what === 6) rmSync(pick(chance, [file, ...directories.slice(1)]) ?? file, { recursive: true });
  if (what === 7) renameSync(file, fresh);
  if (what === 8) {
    chmodSync(file, Math.floor(chance() * 0o7777));
    truncateSync(file, Math.floor(chance() * 3_000_000));
    return 16_384;
  }
  if (what !== 9) return 0;
  const length = Math.min(50_000, lstatSync(file).size);
  const fd = openSync(file, 'r+');
  writeSync(fd, chanceBytes(chance, length), 0, length, Math.floor(chance() * 2_000_000));
  closeSync(fd);
  return length + 2 * 16_384;
}

/** A while later: what was just written is old enough to be believed. */
const later = { ...systemClock(), now: () => new Date(Date.now() + 60_000) };

const keptIn = (directory: string) => ({
  cache: { directory, guardMs: 1000, read: 'Changed', limitBytes: 2 ** 30 } as const,
  clock: later,
});

describe('random trees', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const keeps = seed > 4;
    const how = keeps ? 'and what is known kept from sync to sync' : 'and nothing known';
    it(`are equal after every sync, with bounded bytes and breaking streams, ${how} (seed ${seed})`, async () => {
      using space = scratch();
      const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
      const chance = seededChance(seed);
      const kept = keeps ? keptIn(space.path('cache')) : {};
      mkdirSync(from);
      mkdirSync(to);
      for (let step = 0; step < 40; step++) mutate(from, chance, step);
      let expectDigest: string | undefined;
      for (let sync = 0; sync < 4; sync++) {
        let changed = 0;
        const kinds = new Set<'moves' | 'edits'>();
        for (let step = 0; step < 12 && sync > 0; step++) changed += mutate(from, chance, sync * 100 + step, kinds);
        const relay = memoryRelay();
        const cuts = [5, 20, 60].map((ms) => setTimeout(() => relay.cut(), ms * chance()));
        const mode = sync === 0 ? 'fresh' : 'update';
        const { source, destination } = await copyVolume({
          from,
          to,
          staging,
          run: `sync-${sync}`,
          mode,
          expectDigest,
          relay,
          source: kept,
          destination: kept,
        });
        for (const timer of cuts) clearTimeout(timer);
        assert.equal(destination.digest, source.digest);
        assert.equal((await digestOf(to)).digest, (await digestOf(from)).digest);
        const { files } = await digestOf(from);
        const allowed = changed * 1.3 + 500 * files + 60_000;
        // A file that both moved and changed is a new file.
        if (sync > 0 && !(kinds.has('moves') && kinds.has('edits')))
          assert.ok(destination.bytesSent < allowed * 2, `sent ${destination.bytesSent} for ${changed}`);
        expectDigest = destination.digest;
      }
    });
  }
});
