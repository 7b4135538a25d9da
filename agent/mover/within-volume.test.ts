import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { StorkError } from '../../kube/errors.ts';
import { zeroSegmentHashes } from './content-hash.ts';
import type { Entry } from './entry.ts';
import { beginUpdate, findMark } from './incoming-marker.ts';
import type { PutJob } from './job.ts';
import { jobRunner } from './run-job.ts';
import { segmentReader } from './segment-reader.ts';
import { openSyscalls } from './syscalls.ts';
import { type Scratch, scratch } from './testing/test-volumes.ts';
import { volumeWriter } from './volume-writer.ts';
import { openWalk } from './walk.ts';
import { withinVolume } from './within-volume.ts';
import { inlinePool } from './worker-pool.ts';

const syscalls = openSyscalls();
const key = Buffer.alloc(16, 7);
const hashing = { key, zeroHash: zeroSegmentHashes(key) };

/** A volume with `a/inner/file`, and outside of it a directory of the same names with a secret. */
function sharedVolume(space: Scratch) {
  const [root, elsewhere] = [space.path('volume'), space.path('elsewhere')];
  for (const [top, text] of [
    [`${root}/a`, 'ours'],
    [elsewhere, 'a secret'],
  ] as const) {
    mkdirSync(`${top}/inner`, { recursive: true });
    writeFileSync(`${top}/inner/file`, text);
    writeFileSync(`${top}/only-${text.length}`, text);
  }
  return {
    root,
    elsewhere,
    /** What a pod that shares the volume does at any time. */
    swap() {
      renameSync(`${root}/a`, `${root}/b`);
      symlinkSync(elsewhere, `${root}/a`);
    },
    secret: () => ({
      text: readFileSync(`${elsewhere}/inner/file`, 'utf8'),
      names: [readdirSync(elsewhere), readdirSync(`${elsewhere}/inner`)],
      mode: statSync(elsewhere).mode,
    }),
  };
}

const isStork = (code: string) => (error: unknown) => error instanceof StorkError && error.code === code;

describe('names within a volume', () => {
  it('are found at any depth, in any order', () => {
    using space = scratch();
    const root = space.path('volume');
    const deep = Array.from({ length: 100 }, (_, at) => `d${at % 7}`).join('/');
    mkdirSync(`${root}/${deep}`, { recursive: true });
    mkdirSync(`${root}/side`);
    const paths = ['', 'd0', 'side/file', `${deep}/x`, `${deep}/y`, `${deep.slice(0, 200)}/z`, 'side/other', 'top'];
    for (const path of paths.filter((one) => one.includes('/') || one === 'top'))
      writeFileSync(`${root}/${path}`, path);
    using volume = withinVolume(root);
    for (const path of [...paths, ...paths.toReversed()])
      assert.equal(lstatSync(volume.at(path)).ino, lstatSync(path === '' ? root : `${root}/${path}`).ino, path);
    assert.throws(() => volume.at('nowhere/x'), { code: 'ENOENT' });
    assert.throws(() => volume.at(`${deep}/x/below-a-file`), { code: 'ENOTDIR' });
    assert.equal(lstatSync(volume.at(`${deep}/y`)).isFile(), true);
  });

  it('leave no descriptor open', () => {
    using space = scratch();
    const root = space.path('volume');
    const deep = Array.from({ length: 80 }, () => 'd').join('/');
    mkdirSync(`${root}/${deep}`, { recursive: true });
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    {
      using volume = withinVolume(root);
      for (const path of [`${deep}/x`, 'd/x', `${deep.slice(0, 120)}/x`, 'x']) volume.at(path);
      for (let at = 0; at < 3; at++) assert.throws(() => volume.at(`${deep}/gone/x`));
      assert.ok(open() <= before + 33);
    }
    assert.equal(open(), before);
  });
});

describe('a pod that puts a link in the place of a directory', () => {
  it('shows a walk nothing of where it leads', () => {
    for (const at of ['a', 'a/inner', 'a/only-4']) {
      using space = scratch();
      const volume = sharedVolume(space);
      const counts = { vanished: 0 };
      const walk = openWalk(volume.root, syscalls, counts);
      const seen: string[] = [];
      while (walk.next()) {
        seen.push(walk.path);
        if (walk.path === at) volume.swap();
      }
      assert.ok(!seen.includes('a/only-8'), `${seen}`);
      assert.equal(seen.includes('a/inner'), at !== 'a');
    }
  });

  it('has nothing read from there', () => {
    using space = scratch();
    const volume = sharedVolume(space);
    const reader = segmentReader(syscalls);
    const place = { path: 'a/inner/file', size: 4, segment: 0, sparse: false };
    assert.equal(reader.read(volume.root, place, hashing).bytes.toString(), 'ours');
    reader.close();
    volume.swap();
    assert.equal(reader.read(volume.root, place, hashing).warning, 'vanished');
    reader.close();
    const units = { paths: ['a/inner', 'a/inner/file'], stats: new Int32Array(20), sizes: Float64Array.of(0, 8) };
    units.stats[0] = 0;
    units.stats[10] = 1;
    const answer = jobRunner(syscalls).run({
      ...{ do: 'record', key, root: volume.root, units, from: 0, to: 2, isWhole: false },
      ...{ settled: undefined, tags: false, pack: true, fromStorage: true },
    });
    assert.ok('encoded' in answer && !Buffer.from(answer.encoded).includes('secret'));
    assert.deepEqual(answer.warnings, { vanished: 2 });
    assert.equal(answer.pack?.rawLength, 0);
  });

  it('has nothing written, made, removed or set there', async () => {
    using space = scratch();
    const volume = sharedVolume(space);
    volume.swap();
    const before = volume.secret();
    const writer = volumeWriter(volume.root, inlinePool(syscalls), { key, check: 'ReadBack' });
    const entry = (path: string, rest: Partial<Entry>): Entry => ({
      ...{ path, type: 'file', mode: 0o750, uid: 0, gid: 0, mtimeNs: 0n, size: 0, target: '', rdev: 0n, xattrs: [] },
      ...rest,
    });
    assert.throws(() => writer.makeDirectory('a/new'), isStork('VolumeChanged'));
    assert.throws(() => writer.remove('a/inner/file'), { code: 'ENOTDIR' });
    await assert.rejects(writer.put(onePart('a/inner/file')), isStork('VolumeChanged'));
    await assert.rejects(
      writer.link(entry('b/link', { type: 'hardlink', target: 'a/inner/file' })),
      isStork('ProtocolError'),
    );
    for (const one of [entry('a/made', { type: 'symlink', target: 'x' }), entry('a/empty', {})]) {
      const other = volumeWriter(volume.root, inlinePool(syscalls), { key, check: 'ReadBack' });
      await other.create(one);
      await assert.rejects(other.flush(), isStork('VolumeChanged'));
    }
    const finishing = volumeWriter(volume.root, inlinePool(syscalls), { key, check: 'ReadBack' });
    await finishing.finish(entry('a', { type: 'directory' }));
    await finishing.flush();
    assert.deepEqual(volume.secret(), before);
    assert.ok((finishing.degraded.mode ?? 0) > 0);
  });

  it('has no mark written through it', () => {
    using space = scratch();
    const volume = sharedVolume(space);
    const spec = { name: 'volume', path: volume.root, kind: 'files' } as const;
    symlinkSync(`${volume.elsewhere}/inner/file`, `${volume.root}/.stork-incoming`);
    assert.equal(findMark(volume.root, syscalls), undefined);
    beginUpdate([spec], { run: 'run', syscalls, rootTimes: [undefined] });
    assert.equal(findMark(volume.root, syscalls)?.run, 'run');
    assert.equal(volume.secret().text, 'a secret');
    rmSync(`${volume.root}/.stork-incoming`);
    mkdirSync(`${volume.root}/.stork-incoming/kept`, { recursive: true });
    assert.throws(
      () => beginUpdate([spec], { run: 'run', syscalls, rootTimes: [undefined] }),
      isStork('VolumeUnwritable'),
    );
  });
});

/** A file of three bytes. */
function onePart(path: string): Omit<PutJob, 'do' | 'root' | 'key' | 'check'> {
  const part = { path, size: 3, segment: 0, states: Uint8Array.of(2), rawOffset: 0, hash: new Uint8Array(32) };
  const payload = Buffer.from('new');
  return {
    parts: [{ ...part, overwrites: true, sentTag: undefined, finish: undefined }],
    ...{ payload, compressed: false, rawLength: payload.length },
  };
}
