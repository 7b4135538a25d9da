/**
 * Names of a volume as paths that lead nowhere else. Pods may share a volume while it is copied, and put a symlink in the place of a
 * directory: by a path from the root a mover would follow it to its own token, or to the next volume. So each directory on the way is
 * opened below the one before it and never through a symlink, and a path begins at the descriptor of the last of them. Node lacks
 * openat; `/proc/self/fd/N/NAME` is the same.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { isWithin, parentOf } from './entry.ts';
import { errnoOf, fail } from './mover-error.ts';
import type { ByteString, Syscalls } from './syscalls.ts';

export interface WithinVolume extends Disposable {
  readonly root: ByteString;
  /**
   * The descriptor of a directory, '' for the root; to look at names in it, not to read it. Good until the next call.
   * Throws the kernel's ENOENT, or ENOTDIR where something else, a symlink too, is in its place or on the way.
   */
  directory(path: ByteString): number;
  /** What node:fs takes for an entry: follows no symlink but one in the last place. Good until the next call; throws as `directory`. */
  at(path: ByteString): ByteString;
}

/** Linux's O_PATH, on all machines that we are built for: a handle on this very inode, neither for reading nor for writing. Not in node:fs. */
export const openPathOnly = 0o10000000;
const toDirectory = openPathOnly | constants.O_DIRECTORY;
/** Of deeper ones only the last is held open. */
const heldLevels = 32;

interface Level {
  readonly path: ByteString;
  readonly fd: number;
}

/**
 * Opens nothing before it is asked. Directories stay open while what is asked for next lies in them: they must not be replaced by
 * ourselves meanwhile, so it is disposed of before. Of a raw device there is the root alone.
 * @param root is trusted: the volume is mounted there
 */
export function withinVolume(root: ByteString): WithinVolume {
  /** From the root on, each within the one before. */
  const held: Level[] = [];
  let last: Level | undefined;
  const close = (level: Level | undefined) => {
    if (level !== undefined) closeSync(level.fd);
  };
  const releaseLast = () => {
    // One that is too deep to be held.
    if (last !== held.at(-1)) close(last);
    last = undefined;
  };
  const openBelow = (above: Level, path: ByteString): Level => {
    const place = `${ofDescriptor(above.fd)}/${nameOf(path)}`;
    return { path, fd: openSync(bytesOf(place), toDirectory | constants.O_NOFOLLOW) };
  };
  const descend = (path: ByteString): Level => {
    releaseLast();
    while (held.length > 1 && !isWithin(path, held.at(-1)?.path ?? '')) close(held.pop());
    let level = held.at(-1);
    if (level === undefined) {
      level = { path: '', fd: openSync(bytesOf(root), toDirectory) };
      held.push(level);
    }
    while (level.path !== path) {
      const begin: number = level.path === '' ? 0 : level.path.length + 1;
      const end = path.indexOf('/', begin);
      const above: Level = level;
      try {
        level = openBelow(above, end < 0 ? path : path.slice(0, end));
      } finally {
        if (above !== held.at(-1)) close(above);
      }
      if (held.length < heldLevels) held.push(level);
    }
    last = level;
    return level;
  };
  const directory = (path: ByteString): number => (last?.path === path ? last : descend(path)).fd;
  const at = (path: ByteString): ByteString =>
    path === '' ? root : `${ofDescriptor(directory(parentOf(path)))}/${nameOf(path)}`;
  return {
    root,
    directory,
    at,
    [Symbol.dispose]() {
      releaseLast();
      for (const level of held.splice(0)) close(level);
    },
  };
}

/** For people. */
export const shownPath = (root: ByteString, path: ByteString): ByteString => (path === '' ? root : `${root}/${path}`);

/** Opens an entry, in fewer steps than by what `at` says; throws as that and as the kernel does. @param flags of node:fs */
export function openWithin(
  volume: WithinVolume,
  path: ByteString,
  { flags, mode = 0 }: { readonly flags: number; readonly mode?: number | undefined },
  syscalls: Pick<Syscalls, 'openIn'>,
): number {
  if (path === '') return openSync(bytesOf(volume.root), flags);
  return syscalls.openIn(volume.directory(parentOf(path)), nameOf(path), flags, mode);
}

/** The same as `at`, of what is about to be changed; throws `VolumeChanged` where there is no such directory. */
export function placeToChange(volume: WithinVolume, path: ByteString): ByteString {
  try {
    return volume.at(path);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    return fail('VolumeChanged', 'A directory turned into something else', shownPath(volume.root, path));
  }
}

/** Where the kernel finds what a descriptor is of, whatever became of its name. */
export const ofDescriptor = (fd: number): ByteString => `/proc/self/fd/${fd}`;

const bytesOf = (path: ByteString): Buffer => Buffer.from(path, 'latin1');

const nameOf = (path: ByteString): ByteString => path.slice(path.lastIndexOf('/') + 1);
