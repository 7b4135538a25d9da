/** Whether a restored entry is what the snapshot says, read anew from the storage. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { sameXattrs } from '../../mover/entry.ts';
import type { Syscalls } from '../../mover/syscalls.ts';
import { nodeStats } from '../backup/save-entries.ts';
import { bytesOf, pathIn } from '../directory-fd.ts';
import type { FileItem } from './restore-job.ts';
import { hasBytes } from './write-files.ts';

/** What differs, in words; undefined when nothing does. Throws what the kernel throws. */
export function compareEntry(
  { directory, node, pieces, offset }: FileItem,
  buffer: Buffer,
  syscalls: Syscalls,
): string | undefined {
  const path = pathIn(directory, node.name);
  const found = lstatSync(bytesOf(path), { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return 'is not there';
  const stats = nodeStats(found);
  if (stats.type !== node.type) return `is a ${stats.type}, not a ${node.type}`;
  const differing = [
    node.type === 'symlink' || stats.mode === node.mode ? undefined : 'mode',
    stats.uid === node.uid && stats.gid === node.gid ? undefined : 'owner',
    stats.mtimeNs === node.mtimeNs ? undefined : 'time',
    node.type !== 'symlink' || readlinkSync(bytesOf(path), 'latin1') === node.linkTarget ? undefined : 'target',
    (node.type !== 'dev' && node.type !== 'chardev') || stats.device === node.device ? undefined : 'device number',
    sameXattrs(syscalls.listXattrs(path), node.xattrs) ? undefined : 'extended attributes',
    node.type !== 'file' || stats.size === node.size ? undefined : 'size',
    node.type !== 'file' || stats.size !== node.size || hasContent(path, { pieces, offset }, buffer, syscalls)
      ? undefined
      : 'content',
  ].filter((one) => one !== undefined);
  return differing.length === 0 ? undefined : `differs in ${differing.join(', ')}`;
}

function hasContent(
  path: string,
  { pieces, offset: from }: Pick<FileItem, 'pieces' | 'offset'>,
  buffer: Buffer,
  syscalls: Syscalls,
): boolean {
  if (pieces.length === 0) return true;
  const fd = openSync(bytesOf(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) return false;
    let offset = from;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    syscalls.readAnew(fd, offset, length);
    return pieces.every((piece) => {
      const at = offset;
      offset += piece.length;
      return hasBytes(fd, at, piece, buffer);
    });
  } finally {
    closeSync(fd);
  }
}
