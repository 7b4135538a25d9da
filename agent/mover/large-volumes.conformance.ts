/**
 * Volumes of the size that users have, between two mover processes: 100,000 files, a directory of 20,000 names, a raw device of
 * 4 GiB that is mostly empty. What other programs see of both sides must be the same. Beside the unit tests because it takes minutes.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type Half, keepRunning } from './testing/keep-running.ts';
import { type LoopbackAgent, startLoopbackAgent } from './testing/loopback-agent.ts';
import { chanceBytes, type Scratch, scratch, seededChance } from './testing/test-volumes.ts';

const mb = 1024 * 1024;
/** Half of it is code and threads; none of it grows with the volume. */
const memoryLimitMb = 256;

interface Copy {
  readonly from: string;
  readonly to: string;
  readonly run: string;
  readonly extra?: readonly string[];
}

async function copy(space: Scratch, agent: LoopbackAgent, { from, to, run, extra = [] }: Copy) {
  const common = [
    '--run',
    run,
    '--staging',
    space.path('staging'),
    '--cache',
    space.path('cache'),
    '--cache-guard',
    '0',
  ];
  const source = keepRunning(space, agent, 'source', [...common, '--volume', `data=${from}`]);
  const destination = keepRunning(space, agent, 'destination', [...common, '--volume', `data=${to}`, ...extra]);
  const [sent, received] = await Promise.all([source.result, destination.result]);
  const [volume] = received.volumes;
  assert.equal(received.outcome, 'Complete', received.message);
  assert.ok(volume !== undefined && volume.digest === sent.volumes[0]?.digest);
  for (const half of [source, destination]) assertSmall(half);
  return volume;
}

const assertSmall = ({ role, peakMemoryMb }: Half): void =>
  assert.ok(peakMemoryMb < memoryLimitMb, `the ${role} mover held ${Math.round(peakMemoryMb)} MB`);

/** Names, types, modes, owners, times to the nanosecond, and contents, as find and sha256sum see them. */
const seenByOthers = (root: string): string => execFileSync('sh', ['-c', listing, 'sh', root], { encoding: 'latin1' });

const listing = `cd "$1" && {
  find . -mindepth 1 -printf '%P %y %m %U %G %T@\\0' | sort -z
  find . -type f -print0 | sort -z | xargs -0 sha256sum
} | sha256sum`;

describe('large volumes', () => {
  it('of 100,000 small files, 20,000 of them in one directory, cross and are updated', {
    timeout: 600_000,
  }, async () => {
    using space = scratch();
    await using agent = await startLoopbackAgent();
    const [from, to] = [space.path('from'), space.path('to')];
    mkdirSync(`${from}/crowded`, { recursive: true });
    mkdirSync(to);
    const content = chanceBytes(seededChance(31), 64 * 1024);
    const write = (name: string, at: number) =>
      writeFileSync(name, content.subarray(at % 50_000, (at % 50_000) + (at % 700)));
    for (let at = 0; at < 20_000; at++) write(`${from}/crowded/f${at}`, at);
    for (let at = 0; at < 80_000; at++) {
      if (at % 1000 === 0) mkdirSync(`${from}/d${at / 1000}`);
      write(`${from}/d${Math.floor(at / 1000)}/f${at}`, at);
    }
    const first = await copy(space, agent, { from, to, run: 'first' });
    assert.equal(first.files, 100_000 + 82);
    assert.equal(seenByOthers(to), seenByOthers(from));

    rmSync(`${from}/d7`, { recursive: true });
    for (let at = 0; at < 20_000; at += 500) writeFileSync(`${from}/crowded/f${at}`, `changed ${at}`);
    const extra = ['--mode', 'update', '--expect-digest', `data=${first.digest}`];
    const second = await copy(space, agent, { from, to, run: 'second', extra });
    assert.equal(second.blocksSent, 40);
    assert.equal(seenByOthers(to), seenByOthers(from));
  });

  const isRoot = process.getuid?.() === 0;
  it('of a raw device of 4 GiB that is mostly empty cross as what is in it', {
    timeout: 600_000,
    skip: isRoot ? false : 'loop devices need root',
  }, async () => {
    using space = scratch();
    await using agent = await startLoopbackAgent();
    using from = loopDevice(space.path('from.img'), 4096 * mb);
    using to = loopDevice(space.path('to.img'), 4096 * mb);
    const chance = seededChance(32);
    const places = [0, 700 * mb + 4096, 2048 * mb - 100_000, 4096 * mb - 200_000];
    const fd = openSync(from.path, 'r+');
    for (const at of places) writeSync(fd, chanceBytes(chance, 200_000), 0, 200_000, at);
    closeSync(fd);
    const volumes = { from: `${from.path}:block`, to: `${to.path}:block` };
    const first = await copy(space, agent, { ...volumes, run: 'first' });
    assert.equal(first.bytes, 4096 * mb);
    assert.ok(first.bytesSent < 2 * mb, `sent ${first.bytesSent}`);
    execFileSync('cmp', [from.path, to.path]);
  });
});

function loopDevice(image: string, sizeBytes: number): Disposable & { readonly path: string } {
  writeFileSync(image, '');
  truncateSync(image, sizeBytes);
  const path = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  return { path, [Symbol.dispose]: () => void execFileSync('losetup', ['--detach', path]) };
}
