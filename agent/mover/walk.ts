/**
 * Walks a volume in the order of entries without opening any file: names, then lstat. Memory holds the names of the directories
 * on the way down, and one entry for each file whose other hard links were not met yet.
 * `lost+found` and our own marker at the root are not part of a volume. What vanishes between listing and lstat is counted.
 */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from 'node:fs';
import type { Entry, EntryType } from './entry.ts';
import { errnoOf, fail, failDevice, failUnreadable } from './mover-error.ts';
import type { ByteString, Syscalls } from './syscalls.ts';

export type VolumeKind = 'files' | 'block';

/** An entry as lstat shows it: without attributes and symlink target, which the workers read. */
export interface FoundEntry {
  readonly entry: Entry;
  readonly inode: bigint;
  /** When the kernel last saw it change (ctime). */
  readonly changedNs: bigint;
  /** Fewer bytes allocated than its size: has holes. */
  readonly sparse: boolean;
}

/** Written at a volume's root while it is being filled or updated. */
export const incomingMarker = '.stork-incoming';
const nothingIgnored: ReadonlySet<string> = new Set();
const ignoredAtRoot: ReadonlySet<string> = new Set(['lost+found', incomingMarker]);

export interface WalkCounts {
  vanished: number;
}

export function* walkTree(root: ByteString, counts: WalkCounts): Generator<FoundEntry> {
  const links = new Map<string, { readonly path: ByteString; remaining: number }>();
  const rootStats = statOf(root);
  if (rootStats === undefined) return fail('VolumeMissing', 'The volume is not mounted', root);
  yield foundEntry('', rootStats, links);
  // Each level: the names still to visit, last first, so that popping is cheap.
  const levels: { readonly directory: ByteString; readonly names: string[] }[] = [];
  levels.push({ directory: '', names: namesIn(root, ignoredAtRoot) });
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names.pop();
    if (name === undefined) {
      levels.pop();
      continue;
    }
    const path = level.directory === '' ? name : `${level.directory}/${name}`;
    const stats = statOf(`${root}/${path}`);
    if (stats === undefined) {
      counts.vanished++;
      continue;
    }
    yield foundEntry(path, stats, links);
    if (!stats.isDirectory()) continue;
    const names = namesOrVanished(`${root}/${path}`);
    if (names === undefined) counts.vanished++;
    else levels.push({ directory: path, names });
  }
}

/**
 * The single entry of a raw block device.
 * @param sizeBytes how much of the device counts; its whole size when undefined
 */
export function walkDevice(root: ByteString, syscalls: Syscalls, sizeBytes: number | undefined): FoundEntry {
  const deviceBytes = deviceSize(root, syscalls);
  if (sizeBytes !== undefined && sizeBytes > deviceBytes) {
    fail('VolumeTooSmall', `The block volume has ${deviceBytes} bytes, ${sizeBytes} are needed`, root);
  }
  const entry: Entry = {
    path: '',
    type: 'volume',
    mode: 0,
    uid: 0,
    gid: 0,
    mtimeNs: 0n,
    size: sizeBytes ?? deviceBytes,
    target: '',
    rdev: 0n,
    xattrs: [],
  };
  return { entry, inode: 0n, changedNs: 0n, sparse: true };
}

function deviceSize(root: ByteString, syscalls: Syscalls): number {
  const fd = openDevice(root);
  try {
    const stats = lstatSync(Buffer.from(root, 'latin1'));
    // A plain file stands in for a device in tests and in loop-backed set-ups.
    return stats.isFile() ? stats.size : syscalls.blockDeviceSize(fd, root);
  } finally {
    closeSync(fd);
  }
}

function openDevice(root: ByteString): number {
  try {
    return openSync(Buffer.from(root, 'latin1'), constants.O_RDONLY);
  } catch (error) {
    if (errnoOf(error) === 'EACCES') failDevice('read', root);
    throw error;
  }
}

function statOf(path: ByteString): BigIntStats | undefined {
  try {
    return lstatSync(Buffer.from(path, 'latin1'), { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'EACCES') failUnreadable(path);
    throw error;
  }
}

function namesIn(directory: ByteString, ignored: ReadonlySet<string>): string[] {
  const names = readNames(directory);
  // Code units of byte strings are bytes, so the default order is the order of bytes.
  return (ignored.size === 0 ? names : names.filter((name) => !ignored.has(name))).sort().reverse();
}

function readNames(directory: ByteString): string[] {
  try {
    return readdirSync(Buffer.from(directory, 'latin1'), { encoding: 'latin1' });
  } catch (error) {
    if (errnoOf(error) === 'EACCES') failUnreadable(directory);
    throw error;
  }
}

function namesOrVanished(directory: ByteString): string[] | undefined {
  try {
    return namesIn(directory, nothingIgnored);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function foundEntry(
  path: ByteString,
  stats: BigIntStats,
  links: Map<string, { readonly path: ByteString; remaining: number }>,
): FoundEntry {
  const first = stats.isDirectory() || stats.nlink < 2n ? undefined : linkOf(path, stats, links);
  const type = first === undefined ? typeOf(stats) : 'hardlink';
  const isDevice = type === 'character' || type === 'block';
  return {
    entry: {
      path,
      type,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeNs: stats.mtimeNs,
      size: type === 'file' ? Number(stats.size) : 0,
      target: first ?? '',
      rdev: isDevice ? stats.rdev : 0n,
      xattrs: [],
    },
    inode: stats.ino,
    changedNs: stats.ctimeNs,
    sparse: stats.blocks * 512n < stats.size,
  };
}

/** The first name of this inode when it was met before; remembers it otherwise, until all names were met. */
function linkOf(
  path: ByteString,
  stats: BigIntStats,
  links: Map<string, { readonly path: ByteString; remaining: number }>,
): ByteString | undefined {
  const key = `${stats.dev}:${stats.ino}`;
  const known = links.get(key);
  if (known === undefined) {
    links.set(key, { path, remaining: Number(stats.nlink) - 1 });
    return undefined;
  }
  known.remaining--;
  if (known.remaining === 0) links.delete(key);
  return known.path;
}

function typeOf(stats: BigIntStats): EntryType {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isCharacterDevice() ? 'character' : 'block';
}
