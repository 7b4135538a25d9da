/**
 * Walks a volume in the order of entries without opening any file: names, then lstat. Memory holds the names of the directories
 * on the way down, and one entry for each file whose other hard links were not met yet.
 * `lost+found` and our own marker at the root are not part of a volume. What vanishes between listing and lstat is counted, a directory
 * too that somebody put something else in the place of.
 */
import { closeSync, constants, lstatSync, openSync, readdirSync } from 'node:fs';
import type { Entry, EntryType } from './entry.ts';
import { errnoOf, fail, failDevice, failUnreadable } from './mover-error.ts';
import { emptyStat, fileTypes, hasHoles, int64Of, isDirectory, type RawStat, statName, statPath } from './raw-stat.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import { ofDescriptor, shownPath, type WithinVolume, withinVolume } from './within-volume.ts';

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
const ignoredAtRoot: ReadonlySet<string> = new Set(['lost+found', incomingMarker]);

export interface WalkCounts {
  vanished: number;
}

/** A walk, step by step: what it stands at is the next step's to change. */
export interface Walk {
  /** Goes on to the next entry; false after the last. */
  next(): boolean;
  /** Of the directory that the entry is in. */
  readonly directory: ByteString;
  /** Of the root both are ''. */
  readonly name: ByteString;
  readonly path: ByteString;
  readonly stat: RawStat;
  /** The entry. Must be asked for of each that has several names: of all but the first it is a hard link. */
  found(): FoundEntry;
  close(): void;
}

type Links = Map<string, { readonly path: ByteString; remaining: number }>;

/** A directory on the way down: names still to visit, last first, so that popping is cheap. */
interface Level {
  readonly directory: ByteString;
  readonly names: string[];
}

export function openWalk(root: ByteString, { lookAt }: Pick<Syscalls, 'lookAt'>, counts: WalkCounts): Walk {
  const links: Links = new Map();
  const levels: Level[] = [];
  const volume = withinVolume(root);
  const stat = emptyStat();
  let state: 'New' | 'AtRoot' | 'Within' = 'New';
  const pathOf = (): ByteString => (walk.directory === '' ? walk.name : `${walk.directory}/${walk.name}`);
  const descend = (into: ByteString, names: string[] | undefined) => {
    if (names === undefined) counts.vanished++;
    else levels.push({ directory: into, names });
  };
  const look = (): boolean => {
    try {
      const within = volume.directory(walk.directory);
      if (lookAt === undefined || !statName(lookAt, within, walk.name, stat))
        statPath(`${ofDescriptor(within)}/${walk.name}`, stat);
      return true;
    } catch (error) {
      return failUnlessGone(error, shownPath(root, pathOf()));
    }
  };
  const start = (): boolean => {
    state = 'AtRoot';
    try {
      statPath(root, stat);
      return true;
    } catch (error) {
      failUnlessGone(error, root);
      return fail('VolumeMissing', 'The volume is not mounted', root);
    }
  };
  const enter = () => {
    if (state === 'AtRoot') descend('', namesIn(volume, ''));
    else if (isDirectory(stat)) {
      const path = pathOf();
      descend(path, namesIn(volume, path));
    }
    state = 'Within';
  };
  // Plain fields: they are read several times of each entry, mostly by code that is not yet optimized.
  const walk: Walk & { directory: ByteString; name: ByteString } = {
    stat,
    directory: '',
    name: '',
    get path() {
      return pathOf();
    },
    next() {
      if (state === 'New') return start();
      enter();
      for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
        const next = level.names.pop();
        if (next === undefined) {
          levels.pop();
          continue;
        }
        walk.directory = level.directory;
        walk.name = next;
        if (look()) return true;
        counts.vanished++;
      }
      // What it stood at last is entered once.
      stat.mode = 0;
      volume[Symbol.dispose]();
      return false;
    },
    found: () => foundEntry(pathOf(), stat, links),
    close: () => volume[Symbol.dispose](),
  };
  return walk;
}

export function* walkTree(
  root: ByteString,
  syscalls: Pick<Syscalls, 'lookAt'>,
  counts: WalkCounts,
): Generator<FoundEntry> {
  const walk = openWalk(root, syscalls, counts);
  try {
    while (walk.next()) yield walk.found();
  } finally {
    walk.close();
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

/** False when it is gone, or nothing is by this path any more. */
function failUnlessGone(error: unknown, path: ByteString): false {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return false;
  if (code === 'EACCES') failUnreadable(path);
  throw error;
}

/** Undefined when the directory is gone; the root must be there. */
function namesIn(volume: WithinVolume, directory: ByteString): string[] | undefined {
  try {
    const names = readdirSync(ofDescriptor(volume.directory(directory)), { encoding: 'latin1' });
    const counted = directory === '' ? names.filter((name) => !ignoredAtRoot.has(name)) : names;
    // Code units of byte strings are bytes, so the default order is the order of bytes.
    return counted.sort().reverse();
  } catch (error) {
    failUnlessGone(error, shownPath(volume.root, directory));
    if (directory === '') throw error;
    return undefined;
  }
}

function foundEntry(path: ByteString, stat: RawStat, links: Links): FoundEntry {
  const first = isDirectory(stat) || stat.nlink < 2 ? undefined : linkOf(path, stat, links);
  const type = first === undefined ? typeOf(stat) : 'hardlink';
  const isDevice = type === 'character' || type === 'block';
  return {
    entry: {
      path,
      type,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      mtimeNs: int64Of(stat.mtimeLow, stat.mtimeHigh),
      size: type === 'file' ? stat.sizeBytes : 0,
      target: first ?? '',
      rdev: isDevice ? stat.rdev : 0n,
      xattrs: [],
    },
    inode: BigInt.asUintN(64, int64Of(stat.inodeLow, stat.inodeHigh)),
    changedNs: int64Of(stat.changedLow, stat.changedHigh),
    sparse: hasHoles(stat),
  };
}

/** The first name of this inode when it was met before; remembers it otherwise, until all names were met. */
function linkOf(path: ByteString, stat: RawStat, links: Links): ByteString | undefined {
  const key = `${stat.device}:${stat.inodeHigh}:${stat.inodeLow}`;
  const known = links.get(key);
  if (known === undefined) {
    links.set(key, { path, remaining: stat.nlink - 1 });
    return undefined;
  }
  known.remaining--;
  if (known.remaining === 0) links.delete(key);
  return known.path;
}

function typeOf({ mode }: RawStat): EntryType {
  switch (mode & fileTypes.mask) {
    case fileTypes.file:
      return 'file';
    case fileTypes.directory:
      return 'directory';
    case fileTypes.symlink:
      return 'symlink';
    case fileTypes.fifo:
      return 'fifo';
    case fileTypes.socket:
      return 'socket';
    case fileTypes.character:
      return 'character';
    default:
      return 'block';
  }
}
