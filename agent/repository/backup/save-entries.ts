/**
 * What one thread does with names of a directory: lstat, compare with the parent snapshot, read what changed, write the node's text.
 * Everything goes through the directory's descriptor, so nobody who renames or replaces directories leads us elsewhere.
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import { pathIn } from '../directory-fd.ts';
import { encodeNodeHead, type NodeStats, type NodeType, withContent } from '../format/tree.ts';
import type { BackupAnswer, ContentJob, EntriesJob, Problem, SavedEntry } from './backup-job.ts';
import type { BlobWriter } from './blob-writer.ts';
import { type ChunkingRule, chunkingOf, decideChunking } from './choose-chunking.ts';
import type { Claims } from './claims.ts';
import { type ParentNode, parentCursor } from './parent-nodes.ts';
import { quickLook } from './quick-look.ts';
import { type ContentReader, partBytes } from './save-content.ts';
import { treeOf } from './tree-builder.ts';

export interface EntrySaver {
  entries(job: EntriesJob): Pick<BackupAnswer, 'entries' | 'entryCounts' | 'ids' | 'problems'>;
  content(job: ContentJob): Pick<BackupAnswer, 'ids' | 'problems'>;
  readonly counts: { filesRead: number; bytesRead: number };
}

export interface EntrySaverTools {
  readonly content: ContentReader;
  readonly blobs: Pick<BlobWriter, 'save'>;
  readonly known: Pick<Claims, 'has'>;
  readonly syscalls: Syscalls;
  readonly trustBefore: bigint;
  readonly chunking: readonly ChunkingRule[];
}

export function entrySaver(tools: EntrySaverTools): EntrySaver {
  const { content, blobs, known, syscalls, trustBefore } = tools;
  const wishFor = chunkingOf(tools.chunking);
  const counts = { filesRead: 0, bytesRead: 0 };
  const seen = syscalls.lookAt === undefined ? undefined : quickLook(syscalls.lookAt, trustBefore);
  const readFile = ({ directory, name, shown }: OneName, stats: NodeStats, head: (size: number) => string): Read => {
    if (stats.size === 0) return { is: 'nodes', text: withContent(head(0), []) };
    const fd = openRegular(pathIn(directory, name), stats.inode);
    if (fd === undefined) return 'vanished';
    try {
      const wish = wishFor(`${shown}/${name}`);
      const chunking = decideChunking(stats.size, wish, () => content.isText(fd, stats.size));
      if (stats.size > partBytes)
        return { is: 'large', name, head: head(stats.size), inode: stats.inode, size: stats.size, chunking };
      const saved = content.save(fd, { offset: 0, length: stats.size, chunking });
      counts.filesRead++;
      counts.bytesRead += saved.bytes;
      const entry = { is: 'nodes', text: withContent(head(saved.bytes), saved.ids) } as const;
      return isChanged(fd, stats) ? { changed: entry } : entry;
    } finally {
      closeSync(fd);
    }
  };
  /** A file that goes on changing counts as what was read last. */
  const saveOne = (one: OneName, problems: Problem[]): OneSaved => {
    const { directory, name, isDirectory, before } = one;
    if (before !== undefined && seen?.look(directory, name) === true && before.isAsSeen(seen))
      return { unchanged: before, size: seen.size };
    const path = pathIn(directory, name);
    const skip = (kind: Problem['kind'], message: string): OneSaved => {
      problems.push({ kind, name, message });
      return 'skipped';
    };
    try {
      for (let attempt = 1; ; attempt++) {
        const stats = nodeStats(lstatSync(Buffer.from(path, 'latin1'), { bigint: true }));
        if ((stats.type === 'dir') !== isDirectory) return skip('vanished', 'became something else while it was read');
        if (stats.type !== 'dir' && before?.isUnchanged(stats) === true) return { unchanged: before, size: stats.size };
        const linkTarget = stats.type === 'symlink' ? readlinkSync(Buffer.from(path, 'latin1'), 'latin1') : '';
        const xattrs = syscalls.listXattrs(path);
        const head = (size: number) => encodeNodeHead({ ...stats, size, name, linkTarget, xattrs });
        if (stats.type === 'dir') return { is: 'directory', name, head: head(0) };
        if (stats.type !== 'file') return { is: 'nodes', text: withContent(head(0), undefined) };
        const read = readFile(one, stats, head);
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
      const { directory, names, isAll, before } = job;
      const problems: Problem[] = [];
      const parent = parentCursor(before, known, trustBefore);
      const saved = names.map((name, at) =>
        saveOne(
          { directory, shown: job.path, name, isDirectory: job.isDirectory[at] === true, before: parent.find(name) },
          problems,
        ),
      );
      const same = saved.flatMap((one) => (isSame(one) ? [one] : []));
      const entryCounts = {
        unchanged: same.length,
        bytesUnchanged: same.reduce((sum, { size }) => sum + size, 0),
        skipped: saved.filter((one) => one === 'skipped').length,
      };
      // The repository has this very tree: it was read from there.
      if (isAll && before?.tree !== undefined && same.length === names.length && parent.isEveryFound())
        return { entries: [], entryCounts, ids: [before.tree], problems };
      const entries = [...joinNodes(saved)];
      const [first, ...others] = entries;
      if (isAll && others.length === 0 && (first === undefined || first.is === 'nodes'))
        return { entries: [], entryCounts, ids: [blobs.save(treeOf(first?.text ?? ''), 'tree')], problems };
      return { entries, entryCounts, ids: [], problems };
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

interface OneName {
  readonly directory: number;
  /** The directory's path. */
  readonly shown: ByteString;
  readonly name: ByteString;
  readonly isDirectory: boolean;
  readonly before: ParentNode | undefined;
}

type OneSaved = SavedEntry | 'skipped' | { readonly unchanged: ParentNode; readonly size: number };

const isSame = (one: OneSaved): one is Exclude<OneSaved, SavedEntry | 'skipped'> =>
  typeof one === 'object' && 'unchanged' in one;

/** Nodes that are complete become one text, up to the next that is not. */
function* joinNodes(saved: readonly OneSaved[]): Generator<SavedEntry> {
  let texts: string[] = [];
  for (const one of saved) {
    if (one === 'skipped') continue;
    if (isSame(one)) texts.push(one.unchanged.text());
    else if (one.is === 'nodes') texts.push(one.text);
    else {
      if (texts.length > 0) yield { is: 'nodes', text: texts.join() };
      texts = [];
      yield one;
    }
  }
  if (texts.length > 0) yield { is: 'nodes', text: texts.join() };
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
