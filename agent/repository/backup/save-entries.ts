/**
 * What one thread does with names of a directory: lstat, compare with the parent snapshot, read what changed, write the node's text.
 * Everything goes through the directory's descriptor, so nobody who renames or replaces directories leads us elsewhere.
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import { pathIn } from '../directory-fd.ts';
import { encodeNodeHead, type NodeStats, type NodeType, withContent } from '../format/tree.ts';
import type { BackupAnswer, ContentJob, EntriesJob, Problem, SavedEntry, Stamp } from './backup-job.ts';
import { type ContentReader, decideChunking, partBytes } from './save-content.ts';

export interface EntrySaver {
  entries(job: EntriesJob): Pick<BackupAnswer, 'entries' | 'problems'>;
  content(job: ContentJob): Pick<BackupAnswer, 'ids' | 'problems'>;
  readonly counts: { filesRead: number; bytesRead: number };
}

export const stampOf = (stats: Pick<NodeStats, 'type' | 'size' | 'mtimeNs' | 'ctimeNs' | 'inode'>): Stamp =>
  `${stats.type} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs} ${stats.inode}`;

export function entrySaver(content: ContentReader, syscalls: Syscalls): EntrySaver {
  const counts = { filesRead: 0, bytesRead: 0 };
  const readFile = (path: ByteString, stats: NodeStats, head: (size: number) => string): Read => {
    const chunking = decideChunking(stats.size);
    if (stats.size > partBytes)
      return { is: 'large', head: head(stats.size), inode: stats.inode, size: stats.size, chunking };
    if (stats.size === 0) return { is: 'node', text: withContent(head(0), []) };
    const fd = openRegular(path, stats.inode);
    if (fd === undefined) return 'vanished';
    try {
      const saved = content.save(fd, { offset: 0, length: stats.size, chunking });
      counts.filesRead++;
      counts.bytesRead += saved.bytes;
      const entry = { is: 'node', text: withContent(head(saved.bytes), saved.ids) } as const;
      return isChanged(fd, stats) ? { changed: entry } : entry;
    } finally {
      closeSync(fd);
    }
  };
  /** A file that goes on changing counts as what was read last. */
  const saveOne = (job: EntriesJob, at: number, problems: Problem[]): SavedEntry => {
    const name = job.names[at] ?? '';
    const path = pathIn(job.directory, name);
    const skip = (kind: Problem['kind'], message: string): SavedEntry => {
      problems.push({ kind, name, message });
      return { is: 'skipped' };
    };
    try {
      for (let attempt = 1; ; attempt++) {
        const stats = nodeStats(lstatSync(Buffer.from(path, 'latin1'), { bigint: true }));
        if ((stats.type === 'dir') !== job.isDirectory[at])
          return skip('vanished', 'became something else while it was read');
        if (stats.type !== 'dir' && job.before[at] === stampOf(stats)) return { is: 'unchanged' };
        const linkTarget = stats.type === 'symlink' ? readlinkSync(Buffer.from(path, 'latin1'), 'latin1') : '';
        const xattrs = syscalls.listXattrs(path);
        const head = (size: number) => encodeNodeHead({ ...stats, size, name, linkTarget, xattrs });
        if (stats.type === 'dir') return { is: 'directory', head: head(0) };
        if (stats.type !== 'file') return { is: 'node', text: withContent(head(0), undefined) };
        const read = readFile(path, stats, head);
        if (read === 'vanished') return skip('vanished', 'vanished while it was read');
        if ('is' in read) return read;
        if (attempt < readAttempts) continue;
        problems.push({ kind: 'changed', name, message: 'changed while it was read' });
        return read.changed;
      }
    } catch (error) {
      const { kind, message } = problemOf(error, name);
      return skip(kind, message);
    }
  };
  return {
    counts,
    entries(job) {
      const problems: Problem[] = [];
      return { entries: job.names.map((_, at) => saveOne(job, at, problems)), problems };
    },
    content(job) {
      const fd = openRegular(pathIn(job.directory, job.name), job.inode);
      if (fd === undefined)
        return { ids: [], problems: [{ kind: 'vanished', name: job.name, message: 'vanished while it was read' }] };
      try {
        const { ids, bytes } = content.save(fd, job);
        counts.bytesRead += bytes;
        if (job.offset === 0) counts.filesRead++;
        const isWhole = bytes === job.length;
        return {
          ids,
          problems: isWhole ? [] : [{ kind: 'changed', name: job.name, message: 'shrank while it was read' }],
        };
      } catch (error) {
        return { ids: [], problems: [problemOf(error, job.name)] };
      } finally {
        closeSync(fd);
      }
    },
  };
}

/** How often a file that changes under us is read again. */
const readAttempts = 3;

type Read = SavedEntry | 'vanished' | { readonly changed: SavedEntry };

function problemOf(error: unknown, name: ByteString): Problem {
  const code = errnoOf(error);
  if (code === undefined) throw error;
  if (code === 'ENOENT') return { kind: 'vanished', name, message: 'vanished while it was read' };
  return { kind: 'unreadable', name, message: code };
}

/** The descriptor of this very file; undefined when its name leads elsewhere by now. Never blocks at a fifo. */
function openRegular(path: ByteString, inode: bigint): number | undefined {
  let fd: number;
  try {
    fd = openSync(
      Buffer.from(path, 'latin1'),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO') return undefined;
    throw error;
  }
  const stats = fstatSync(fd, { bigint: true });
  if (stats.isFile() && stats.ino === inode) return fd;
  closeSync(fd);
  return undefined;
}

function isChanged(fd: number, before: NodeStats): boolean {
  const now = fstatSync(fd, { bigint: true });
  return now.size !== BigInt(before.size) || now.mtimeNs !== before.mtimeNs || now.ctimeNs !== before.ctimeNs;
}

export function nodeStats(stats: BigIntStats): NodeStats {
  const type = typeOf(stats);
  return {
    type,
    mode: Number(stats.mode & 0o7777n),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    inode: stats.ino,
    deviceId: stats.dev,
    links: Number(stats.nlink),
    size: type === 'file' ? Number(stats.size) : 0,
    device: type === 'dev' || type === 'chardev' ? stats.rdev : 0n,
  };
}

function typeOf(stats: BigIntStats): NodeType {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'dir';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isCharacterDevice() ? 'chardev' : 'dev';
}
