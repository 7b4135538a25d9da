/** A destination mover where Pod Security admits no root: what it may not set is counted, what it may not do is found before it begins. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { shortDigest } from './contract.ts';
import type { DestinationOptions } from './destination-run.ts';
import { findMark } from './incoming-marker.ts';
import { openSyscalls } from './syscalls.ts';
import { asUser } from './testing/as-user.ts';
import { type CopyOptions, copyVolume, digestOf, type Scratch, scratch } from './testing/test-volumes.ts';
import { inlinePool } from './worker-pool.ts';

const [user, group] = [1001, 2002];
const syscalls = openSyscalls();

/** As a kubelet leaves a volume to a pod with an fsGroup, and the pod its files. */
async function appliedOnce(space: Scratch) {
  chmodSync(space.root, 0o777);
  const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
  mkdirSync(from);
  mkdirSync(to);
  chownSync(from, 0, group);
  chmodSync(from, 0o2775);
  await asUser(user, [group], async () => {
    mkdirSync(`${from}/dir`);
    for (const name of ['a', 'b', 'c']) writeFileSync(`${from}/dir/${name}`, name);
    writeFileSync(`${from}/dir/locked`, 'locked', { mode: 0o444 });
    writeFileSync(`${from}/top`, 'top');
  });
  const first = await copyVolume({ from, to, staging, run: 'first' });
  const expectDigest = first.destination.digest;
  const update = (destination: Partial<DestinationOptions> = {}) =>
    updateAsUser(space, { from, to, run: 'second', expectDigest, destination });
  return { from, to, update };
}

const updateAsUser = (
  space: Scratch,
  options: Pick<CopyOptions, 'from' | 'to' | 'run' | 'expectDigest' | 'destination'>,
) => asUser(user, [group], () => copyVolume({ ...options, staging: space.path('own-staging'), mode: 'update' }));

const rootTimes = { mtime: 1 };

describe('an update by who is not root', () => {
  it('is whole where all it changes is its own; no mark is left', async () => {
    using space = scratch();
    const { from, to, update } = await appliedOnce(space);
    await asUser(user, [group], async () => {
      writeFileSync(`${from}/dir/a`, 'another');
      rmSync(`${from}/dir/b`);
      writeFileSync(`${from}/dir/new`, 'new', { mode: 0o640 });
      symlinkSync('new', `${from}/dir/link`);
      linkSync(`${from}/dir/c`, `${from}/dir/d`);
      chmodSync(`${from}/dir/locked`, 0o600);
      writeFileSync(`${from}/dir/locked`, 'changed');
      chmodSync(`${from}/dir/locked`, 0o444);
      syscalls.setXattr(`${from}/dir/c`, { name: 'user.note', value: Buffer.from('note') });
    });
    const { source, destination } = await update();
    assert.deepEqual(destination.degraded, {});
    assert.equal(destination.digest, source.digest);
    assert.equal((await digestOf(to)).digest, (await digestOf(from)).digest);
    assert.equal(findMark(to, syscalls), undefined);
  });

  it('counts by kind what it may not set, and records what the volume really has', async () => {
    using space = scratch();
    const { from, to, update } = await appliedOnce(space);
    writeFileSync(`${from}/dir/rooted`, 'rooted');
    chmodSync(`${from}/dir/rooted`, 0o6755);
    chownSync(`${from}/dir/a`, 0, group);
    syscalls.makeNode(`${from}/dir/null`, 0o020666, 259n);
    syscalls.setXattr(`${from}/dir/c`, {
      name: 'security.capability',
      value: Buffer.from('0100000200000000000000000000000000000000', 'hex'),
    });
    writeFileSync(`${from}/another`, 'another');
    chownSync(`${from}/another`, user, group);
    const { source, destination } = await update();
    assert.deepEqual(destination.degraded, { owner: 2, mode: 1, xattr: 1, special: 1, ...rootTimes });
    assert.notEqual(destination.digest, source.digest);
    assert.equal(destination.sent, shortDigest(source.digest));
    assert.equal(destination.digest, (await digestOf(to)).digest);
    const rooted = lstatSync(`${to}/dir/rooted`);
    assert.deepEqual([rooted.uid, rooted.mode & 0o7777], [user, 0o755]);
    assert.equal(findMark(to, syscalls), undefined);
  });

  it('is proven equal in all but what was counted: a file that differs besides is found', async () => {
    using space = scratch();
    const { from, to, update } = await appliedOnce(space);
    writeFileSync(`${from}/another`, 'another');
    chownSync(`${from}/another`, user, group);
    let synced = 0;
    const syncFileSystem = (fd: number) => {
      // Before the last look: a time, where one could not be set of something else.
      if (synced++ > 0) syscalls.setMtime(`${to}/dir/a`, 1n);
      return syscalls.syncFileSystem(fd);
    };
    await assert.rejects(update({ pool: inlinePool({ ...syscalls, syncFileSystem }) }), {
      code: 'VerifyMismatch',
      message: /different from the source in mtime/,
    });
  });

  it('marks the volume while it writes, and goes on after it lost everything else', async () => {
    using space = scratch();
    const { from, to, update } = await appliedOnce(space);
    writeFileSync(`${from}/dir/a`, 'another');
    let synced = 0;
    const syncFileSystem = (fd: number) => (synced++ === 0 ? syscalls.syncFileSystem(fd) : assert.fail('killed'));
    await assert.rejects(update({ pool: inlinePool({ ...syscalls, syncFileSystem }) }));
    assert.equal(findMark(to, syscalls)?.run, 'second');
    rmSync(space.path('own-staging'), { recursive: true });
    const { source, destination } = await update({ existing: 'Redo' });
    assert.equal(destination.digest, source.digest);
    assert.equal(readFileSync(`${to}/dir/a`, 'utf8'), 'another');
    assert.equal(findMark(to, syscalls), undefined);
  });

  it('is refused before anything is changed where it could not mark the volume', async () => {
    using space = scratch();
    const { from, to, update } = await appliedOnce(space);
    chmodSync(to, 0o755);
    writeFileSync(`${from}/dir/a`, 'another');
    const { ctimeNs } = lstatSync(to, { bigint: true });
    await assert.rejects(update({ existing: 'Overwrite' }), {
      code: 'UpdateForbidden',
      message: /may not mark \(EACCES/,
    });
    assert.equal(lstatSync(to, { bigint: true }).ctimeNs, ctimeNs);
  });

  const hindrances: Readonly<
    Record<string, { at: RegExp; there?: (from: string) => void; change: (from: string) => void }>
  > = {
    'a file of others': {
      at: /may not write .*dir\/foreign/,
      there: (from) => writeFileSync(`${from}/dir/foreign`, 'one', { mode: 0o644 }),
      change: (from) => writeFileSync(`${from}/dir/foreign`, 'two'),
    },
    'a directory of others': {
      at: /may not change names in .*dir\/foreign/,
      there: (from) => mkdirSync(`${from}/dir/foreign`, { mode: 0o755 }),
      change: (from) => writeFileSync(`${from}/dir/foreign/new`, 'new'),
    },
    'what is below a directory of others': {
      at: /may not change names in .*dir\/foreign/,
      there: (from) => {
        mkdirSync(`${from}/dir/foreign`, { mode: 0o755 });
        writeFileSync(`${from}/dir/foreign/file`, 'file');
      },
      change: (from) => rmSync(`${from}/dir/foreign`, { recursive: true }),
    },
    'a file that it could not read back': {
      at: /may not read again, once it has mode 240, .*dir\/blind/,
      change: (from) => {
        writeFileSync(`${from}/dir/blind`, 'blind');
        chmodSync(`${from}/dir/blind`, 0o240);
        chownSync(`${from}/dir/blind`, 3003, group);
      },
    },
    'a name of others in a sticky directory': {
      at: /may not remove .*sticky\/foreign/,
      there: (from) => {
        mkdirSync(`${from}/sticky`);
        chmodSync(`${from}/sticky`, 0o1777);
        writeFileSync(`${from}/sticky/foreign`, 'foreign');
      },
      change: (from) => rmSync(`${from}/sticky/foreign`),
    },
    'another name of a file of others': {
      at: /may not link .*dir\/foreign/,
      there: (from) => writeFileSync(`${from}/dir/foreign`, 'one', { mode: 0o644 }),
      change: (from) => linkSync(`${from}/dir/foreign`, `${from}/dir/linked`),
    },
  };
  for (const [title, { at, there, change }] of Object.entries(hindrances))
    it(`is refused before anything is changed: ${title}`, async () => {
      using space = scratch();
      const first = await appliedOnce(space);
      there?.(first.from);
      const { from, to, expectDigest } = { ...first, ...(await asRoot(space, first)) };
      change(from);
      writeFileSync(`${from}/dir/a`, 'another');
      const before = await digestOf(to);
      const { ctimeNs } = lstatSync(to, { bigint: true });
      await assert.rejects(
        updateAsUser(space, {
          ...{ from, to, run: 'third', expectDigest },
          destination: { awaitGate: () => assert.fail('asked for leave') },
        }),
        (error: { code: string; message: string }) => {
          assert.equal(error.code, 'UpdateForbidden', error.message);
          assert.match(error.message, at);
          return true;
        },
      );
      assert.deepEqual(await digestOf(to).then(({ digest }) => digest), before.digest);
      assert.equal(lstatSync(to, { bigint: true }).ctimeNs, ctimeNs);
      assert.equal(readdirSync(to).includes('.stork-incoming'), false);
    });
});

/** What is there before: brought by a mover that is root. */
async function asRoot(space: Scratch, { from, to }: { readonly from: string; readonly to: string }) {
  const staging = space.path('staging');
  const { digest } = await digestOf(to);
  const { destination } = await copyVolume({ from, to, staging, mode: 'update', run: 'brought', expectDigest: digest });
  return { expectDigest: destination.digest };
}
