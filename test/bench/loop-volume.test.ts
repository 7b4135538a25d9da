import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chooseFileSystem, loopVolume } from './loop-volume.ts';

const canMount =
  process.geteuid?.() === 0 && spawnSync('mkfs.xfs', ['-V']).status === 0 && existsSync('/dev/loop-control');
const xfsMagic = 0x58465342;

function space(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'stork-loop-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

describe('file systems of benchmarks', () => {
  it('are named', () => {
    assert.equal(chooseFileSystem('btrfs'), 'btrfs');
    assert.throws(() => chooseFileSystem('ntfs'), /xfs, btrfs, ext4, none/);
  });

  it('are nothing but a directory when none is wanted', () => {
    using here = space();
    const volume = loopVolume('none', join(here.path, 'volume'));
    writeFileSync(join(volume.path, 'file'), 'content');
    volume[Symbol.dispose]();
    assert.ok(!existsSync(volume.path));
  });

  describe('with mounts', { skip: canMount ? false : 'needs root, loop devices and mkfs.xfs' }, () => {
    it('are mounted, and leave nothing', () => {
      using here = space();
      const volume = loopVolume('xfs', join(here.path, 'volume'));
      assert.equal(statfsSync(volume.path).type, xfsMagic);
      volume[Symbol.dispose]();
      assert.ok(!existsSync(volume.path) && !existsSync(`${volume.path}.img`));
      assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(here.path));
    });

    for (const signal of ['SIGINT', 'SIGTERM'])
      it(`leave nothing when ${signal} ends the process in the middle`, () => {
        using here = space();
        const module = pathToFileURL(join(import.meta.dirname, 'loop-volume.ts')).href;
        const program = `import { endOnSignals, loopVolume } from '${module}';
          endOnSignals();
          const { path } = loopVolume('xfs', ${JSON.stringify(join(here.path, 'volume'))});
          console.log(path);
          process.kill(process.pid, '${signal}');
          setInterval(() => undefined, 1000);`;
        const ended = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '--eval', program], {
          encoding: 'utf8',
        });
        assert.equal(ended.stdout.trim(), join(here.path, 'volume'), ended.stderr);
        assert.ok((ended.status ?? 0) > 128);
        assert.ok(!existsSync(ended.stdout.trim()) && !existsSync(`${ended.stdout.trim()}.img`));
        assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(here.path));
      });
  });
});
