/** With loop devices and `stork-agent` as a process, judged by stock restic and cmp. tidy: ambient-calls because processes are watched. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../kube/clock.ts';
import { chanceBytes, type Scratch, scratch, seededChance } from '../../mover/testing/test-volumes.ts';
import { checkWithRestic, restic, resticMissing } from '../testing/stock-restic.ts';

const mb = 1024 * 1024;
const program = fileURLToPath(new URL('../../main.ts', import.meta.url));
/** What V8 allows itself in a container with a mover's memory limit. */
const asInContainer = ['--no-warnings', '--max-old-space-size=128', '--max-semi-space-size=8'];
const memoryLimitMb = 256;

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? resticMissing : 'loop devices need root';

interface Device extends Disposable {
  readonly path: string;
  readonly image: string;
}

function loopDevice(space: Scratch, name: string, sizeBytes: number): Device {
  const image = space.path(`${name}.img`);
  writeFileSync(image, '');
  truncateSync(image, sizeBytes);
  const path = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  // Reads holes at once, where the file system can: else they go through the page cache twice.
  spawnSync('losetup', ['--direct-io=on', path]);
  return { path, image, [Symbol.dispose]: () => void execFileSync('losetup', ['--detach', path]) };
}

function write(path: string, offset: number, bytes: Buffer): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly peakMemoryMb: number;
}

/** @param killWhen asked a few times a second; the process is killed when it says so */
async function agent(space: Scratch, argv: readonly string[], killWhen: () => boolean = () => false): Promise<Ended> {
  const password = space.path('password');
  writeFileSync(password, 'secret\n');
  const place = ['--repo', space.path('repo'), '--password-file', password, '--json'];
  const child = spawn(process.execPath, [...asInContainer, program, ...argv, ...place]);
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray());
  const ended = once(child, 'close');
  let peakMemoryMb = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peakMemoryMb = Math.max(peakMemoryMb, memoryMbOf(child.pid));
    if (killWhen()) child.kill('SIGKILL');
    await systemClock().sleep(50);
  }
  await ended;
  const [said = [], complained = []] = await Promise.all([stdout, stderr]);
  return { code: child.exitCode, stdout: said.join(''), stderr: complained.join(''), peakMemoryMb };
}

function memoryMbOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    // It has ended: what was seen last counts.
    return 0;
  }
}

async function done(space: Scratch, ...argv: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const { code, stdout, stderr } = await agent(space, argv);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** The same, of what must not hold much. */
async function doneSmall(space: Scratch, ...argv: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const { code, stdout, stderr, peakMemoryMb } = await agent(space, [...argv, '--threads', '2']);
  assert.equal(code, 0, stderr);
  assert.ok(peakMemoryMb < memoryLimitMb, `it held ${Math.round(peakMemoryMb)} MB`);
  return JSON.parse(stdout);
}

async function refused(space: Scratch, message: RegExp, ...argv: readonly string[]): Promise<void> {
  const { code, stderr } = await agent(space, argv);
  assert.equal(code, 1);
  assert.match(stderr, message);
}

const packsIn = (space: Scratch): number =>
  execFileSync('find', [space.path('repo'), '-path', '*/data/*', '-type', 'f', '-size', '+1M'])
    .toString()
    .split('\n').length - 1;

describe('a raw device', { skip }, () => {
  it('of 4 GiB that is mostly empty is saved as what is in it, and restored in place', {
    timeout: 900_000,
  }, async () => {
    using space = scratch();
    using from = loopDevice(space, 'from', 4096 * mb);
    using to = loopDevice(space, 'to', 4097 * mb);
    const chance = seededChance(33);
    for (const at of [0, 700 * mb + 4096, 2048 * mb - 100_000, 4096 * mb - 200_000])
      write(from.path, at, chanceBytes(chance, 200_000));
    await done(space, 'repo', 'init');
    const saved = await doneSmall(space, 'backup', '--raw-device', from.path);
    assert.equal(saved.sizeBytes, 4096 * mb);
    assert.ok((saved.bytesAdded ?? 0) < 2 * mb, `${saved.bytesAdded} bytes were added`);
    for (const at of [500 * mb, 2048 * mb - 50_000]) write(to.path, at, chanceBytes(chance, 300_000));
    const restored = await doneSmall(space, 'restore', 'latest', '--to-device', to.path, '--verify');
    assert.ok((restored.bytesWritten ?? 0) < 8 * mb, `${restored.bytesWritten} bytes were written`);
    execFileSync('cmp', [`--bytes=${4096 * mb}`, from.image, to.image]);
    checkWithRestic(space.path('repo'), 'secret');
  });

  it('whose backup or restore is killed comes back whole when they are repeated, by stock restic too', {
    timeout: 900_000,
  }, async () => {
    using space = scratch();
    using from = loopDevice(space, 'from', 1100 * mb);
    using to = loopDevice(space, 'to', 1100 * mb);
    const chance = seededChance(34);
    write(from.path, 0, chanceBytes(chance, 96 * mb));
    write(from.path, 1024 * mb - 5000, chanceBytes(chance, 10_000));
    await done(space, 'repo', 'init');
    await agent(space, ['backup', '--raw-device', from.path], () => packsIn(space) >= 2);
    await done(space, 'backup', '--raw-device', from.path);
    checkWithRestic(space.path('repo'), 'secret');
    await agent(space, ['restore', 'latest', '--to-device', to.path], () => statSync(to.image).blocks > 0);
    await done(space, 'restore', 'latest', '--to-device', to.path, '--verify');
    execFileSync('cmp', [from.image, to.image]);
    restic(space.path('repo'), 'secret', 'restore', 'latest', '--target', space.path('theirs'));
    execFileSync('sh', [
      '-c',
      'cat "$1"/*/*.seg | cmp - "$2"',
      'sh',
      `${space.path('theirs')}${from.path}`,
      from.image,
    ]);
  });

  it('is not restored to one that is too small, mounted, below another, or open for writing', {
    timeout: 300_000,
  }, async () => {
    using space = scratch();
    using from = loopDevice(space, 'from', 16 * mb);
    using small = loopDevice(space, 'small', 15 * mb);
    using to = loopDevice(space, 'to', 32 * mb);
    await done(space, 'repo', 'init');
    await done(space, 'backup', '--raw-device', from.path);
    const restore = (target: string) => ['restore', 'latest', '--to-device', target] as const;
    await refused(space, /It has 15728640 bytes, and what was saved has 16777216/, ...restore(small.path));
    await refused(space, /the loop device \/dev\/loop\d+ is on it/, ...restore(to.image));

    execFileSync('mkfs.ext4', ['-q', to.path]);
    const place = space.path('mounted');
    mkdirSync(place);
    execFileSync('mount', [to.path, place]);
    try {
      await refused(space, /It is in use: mounted at .*\/mounted/, ...restore(to.path));
      const { code, stderr } = await agent(space, ['backup', '--raw-device', to.path]);
      assert.equal(code, 0);
      assert.match(stderr, /mounted at .*\/mounted: what changes while it is read may be saved half/);
    } finally {
      execFileSync('umount', [place]);
    }
    const writer = openSync(to.path, 'r+');
    try {
      await refused(space, new RegExp(`opened for writing by process ${process.pid}`), ...restore(to.path));
    } finally {
      closeSync(writer);
    }
    await done(space, 'restore', `latest:${from.path}`, '--path', from.path, '--to-device', to.path);
    execFileSync('cmp', [`--bytes=${16 * mb}`, from.path, to.path]);
  });

  it('that fails makes no restore point, and the error names the byte', { timeout: 300_000 }, async () => {
    using space = scratch();
    using from = loopDevice(space, 'from', 96 * mb);
    await done(space, 'repo', 'init');
    // Behind the end of its file a loop device answers EIO.
    truncateSync(from.image, 40 * mb);
    await refused(space, /Reading failed with EIO at byte 41943040/, 'backup', '--raw-device', from.path);
    assert.equal((await done(space, 'list')).length, 0);
    assert.deepEqual(readdirSync(space.path('repo/locks')), []);
    // Smaller for its readers too.
    execFileSync('losetup', ['--set-capacity', from.path]);
    const saved = await done(space, 'backup', '--raw-device', from.path);
    assert.equal(saved.sizeBytes, 40 * mb);
  });
});
