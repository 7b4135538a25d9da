/**
 * File systems of a benchmark's own, each in a sparse file that is mounted through a loop device: what a machine's disk happens to
 * be formatted with, and how, is then no part of the numbers. Gone when they are disposed of, and when the process ends by itself,
 * by a failure, by Ctrl-C or SIGTERM.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';

export const fileSystems = ['xfs', 'btrfs', 'ext4', 'none'] as const;
/** `none`: a directory where temporary files are. */
export type FileSystem = (typeof fileSystems)[number];

export interface Volume extends Disposable {
  readonly path: string;
}

/** Quick to make, and otherwise as the tools make them: ext4 with its journal. */
const formats = {
  xfs: ['mkfs.xfs', '-q', '-f'],
  btrfs: ['mkfs.btrfs', '-q', '-f'],
  ext4: ['mkfs.ext4', '-q', '-F'],
} as const;

/** Sparse: only what is written takes room. */
const imageBytes = 64 * 1024 ** 3;

/** What was asked for; when nothing was, XFS where it can be made and mounted. Throws for what is none. */
export function chooseFileSystem(asked: string | undefined): FileSystem {
  if (asked !== undefined) {
    const found = fileSystems.find((name) => name === asked);
    if (found === undefined) throw new Error(`--filesystem is one of ${fileSystems.join(', ')}`);
    return found;
  }
  const canMake = process.geteuid?.() === 0 && spawnSync('mkfs.xfs', ['-V']).status === 0;
  return canMake ? 'xfs' : 'none';
}

/** @param path of the volume; beside it, with `.img` added, is its image */
export function loopVolume(fileSystem: FileSystem, path: string): Volume {
  mkdirSync(path);
  if (fileSystem === 'none') return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
  const image = `${path}.img`;
  const dispose = () => {
    process.off('exit', dispose);
    // What still has it open when we are ended keeps it a little longer; the device goes with the mount.
    if (spawnSync('umount', [path]).status !== 0) spawnSync('umount', ['--lazy', path]);
    rmSync(image, { force: true });
    rmSync(path, { recursive: true, force: true });
  };
  // Before whoever removes the directory that it is in.
  process.prependListener('exit', dispose);
  try {
    const fd = openSync(image, 'wx');
    ftruncateSync(fd, imageBytes);
    closeSync(fd);
    const [make, ...flags] = formats[fileSystem];
    run(make, [...flags, image]);
    run('mount', ['-o', 'loop', image, path]);
    // Else what is written lies in memory twice, and what is on storage is only in the image's cache.
    run('losetup', ['--direct-io=on', run('findmnt', ['-no', 'SOURCE', path]).trim()]);
    return { path, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

let endsOnSignals = false;

/** So that listeners of `exit` are called. */
export function endOnSignals(): void {
  if (endsOnSignals) return;
  endsOnSignals = true;
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  process.once('SIGHUP', () => process.exit(129));
}
