/**
 * Makes directories, symlinks and special files below open directories and sets their metadata, on this thread. Never follows a symlink,
 * whoever puts one in our way.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
} from 'node:fs';
import type { Entry, EntryType } from '../../mover/entry.ts';
import { errnoOf } from '../../mover/mover-error.ts';
import { attempt, type Degraded, finishFile, settle, setXattrs, xattrsOfName } from '../../mover/settle.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import { ofDescriptor, openPathOnly } from '../../mover/within-volume.ts';
import { bytesOf, clearName, openDirectory, pathIn } from '../directory-fd.ts';
import type { NodeType, TreeNode } from '../format/tree.ts';
import { failRepository } from '../repository-error.ts';
import type { FileNode } from './restore-job.ts';

const entryTypeOf: Readonly<Record<NodeType, EntryType | undefined>> = {
  dir: 'directory',
  file: 'file',
  symlink: 'symlink',
  fifo: 'fifo',
  socket: 'socket',
  dev: 'block',
  chardev: 'character',
  irregular: undefined,
};

export function entryOf(node: TreeNode): Entry {
  const type =
    entryTypeOf[node.type] ?? failRepository('NodeUnknown', 'This system has no such kind of file', node.name);
  const { name, mode, uid, gid, mtimeNs, size, linkTarget, device, xattrs } = node;
  return { path: name, type, mode, uid, gid, mtimeNs, size, target: linkTarget, rdev: device, xattrs };
}

export const fileEntryOf = ({ name, mode, uid, gid, mtimeNs, size, xattrs }: FileNode): Entry => ({
  ...{ path: name, type: 'file', mode, uid, gid, mtimeNs, size, target: '', rdev: 0n, xattrs },
});

export interface MadeDirectory {
  readonly fd: number;
  readonly isNew: boolean;
}

/**
 * Opens a directory's directory, or makes it.
 * @param others what to do with a name that is no directory: `replace` it, or `refuse`
 */
export function makeDirectory(parent: number, name: ByteString, others: 'replace' | 'refuse'): MadeDirectory {
  const path = pathIn(parent, name);
  const make = (): boolean => {
    try {
      mkdirSync(bytesOf(path), 0o700);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      return false;
    }
  };
  let isNew = make();
  if (!isNew && others === 'replace' && !lstatSync(bytesOf(path)).isDirectory()) {
    clearName(parent, name, 'keep');
    isNew = make();
  }
  return { fd: openDirectory(path), isNew };
}

/** When nothing will be made in it any more: making a name changes its times. */
export function finishDirectory(fd: number, node: TreeNode, syscalls: Syscalls, degraded: Degraded): void {
  const stats = fstatSync(fd);
  finishFile({ fd, path: `/proc/self/fd/${fd}/.`, stats, size: 0 }, entryOf(node), syscalls, degraded);
}

/** A symlink or special file. False when a directory that must be kept is in its way. */
export function createEntry(
  { directory, node }: { readonly directory: number; readonly node: TreeNode },
  wholeTrees: 'remove' | 'keep',
  syscalls: Syscalls,
  degraded: Degraded,
): boolean {
  if (!clearName(directory, node.name, wholeTrees)) return false;
  const entry = entryOf(node);
  if (entry.type === 'symlink') {
    symlinkSync(bytesOf(entry.target), bytesOf(pathIn(directory, node.name)));
    const answer = settle(
      { do: 'settle', root: ofDescriptor(directory), actions: [{ do: 'finish', entry }] },
      syscalls,
    );
    for (const [kind, count] of Object.entries(answer.degraded)) degraded[kind] = (degraded[kind] ?? 0) + count;
    return true;
  }
  const path = pathIn(directory, node.name);
  const isMade = attempt('special', degraded, path, () =>
    syscalls.makeNode(path, specialBits[node.type] | 0o600, entry.rdev),
  );
  if (isMade) finishSpecial(path, entry, syscalls, degraded);
  return true;
}

const specialBits: Readonly<Record<NodeType, number>> = {
  dir: 0,
  file: 0,
  symlink: 0,
  irregular: 0,
  fifo: 0o010000,
  chardev: 0o020000,
  dev: 0o060000,
  socket: 0o140000,
};

function finishSpecial(path: ByteString, entry: Entry, syscalls: Syscalls, degraded: Degraded): void {
  const fd = openSync(bytesOf(path), openPathOnly | constants.O_NOFOLLOW);
  try {
    const stats = fstatSync(fd);
    // A handle on a symlink that somebody put here would be one on the symlink itself.
    if (stats.isSymbolicLink() || stats.isDirectory() || stats.isFile())
      failRepository('TargetChanged', 'Something else took the place of what was restored', path);
    const handle = ofDescriptor(fd);
    if (stats.uid !== entry.uid || stats.gid !== entry.gid)
      attempt('owner', degraded, path, () => chownSync(handle, entry.uid, entry.gid));
    attempt('mode', degraded, path, () => chmodSync(handle, entry.mode));
    const change = { path, present: syscalls.listXattrs(path), wanted: entry.xattrs };
    setXattrs(change, xattrsOfName(path, syscalls), degraded);
    attempt('mtime', degraded, path, () => syscalls.setMtime(path, entry.mtimeNs));
  } finally {
    closeSync(fd);
  }
}
