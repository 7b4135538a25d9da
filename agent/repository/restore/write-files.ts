/**
 * Writes files' content from sealed blobs, each proven by its hash before a byte of it is written; zeros become holes. A file of which
 * something is lost keeps what there is under `NAME.incomplete`, never under its own name.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import { releaseMemory } from '../../mover/release-memory.ts';
import { type Degraded, finishFile } from '../../mover/settle.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import { bytesOf, clearName, pathIn } from '../directory-fd.ts';
import { idOf } from '../format/object-id.ts';
import type { SmallBlobOpener } from '../format/open-small.ts';
import { unsealBlob } from '../format/pack.ts';
import type { RepositoryKey } from '../format/seal.ts';
import { failRepository } from '../repository-error.ts';
import type { FetchedBlob, FileItem, FileNode, ItemProblem, WriteItem, WriteJob } from './restore-job.ts';
import { fileEntryOf } from './write-names.ts';

export interface WriteTools {
  readonly key: RepositoryKey;
  /** Undefined where there is none. */
  readonly small: SmallBlobOpener | undefined;
  readonly syscalls: Syscalls;
  readonly degraded: Degraded;
}

export interface WrittenFiles {
  readonly problems: readonly ItemProblem[];
  readonly bytesWritten: number;
  readonly inodes: readonly bigint[];
}

export function writeFiles(job: WriteJob, tools: WriteTools): WrittenFiles {
  const problems: ItemProblem[] = [];
  const inodes: bigint[] = [];
  let bytesWritten = 0;
  const blobs = openBlobs(job, tools);
  const heirs = heirsOf(tools.syscalls);
  const writeOne = (item: WriteItem): Omit<ItemProblem, 'item'> | undefined => {
    const opened =
      item.fd === undefined
        ? openForWriting(item, job.wholeTrees, heirs.mayHaveMode(item.directory, item.node))
        : { fd: item.fd, isNew: item.isNew };
    if (opened === undefined) return { kind: 'unwritable', message: directoryInTheWay };
    const { fd, isNew } = opened;
    try {
      // What was compared is gone: a file of holes would pass for the right one.
      if (isNew && item.blobs.includes(undefined))
        return { kind: 'unwritable', message: 'changed while it was restored' };
      const { lost, written } = writePieces(fd, item, isNew);
      bytesWritten += written;
      // Asked for only by other names of it.
      if (item.node.links > 1) inodes[inodes.length - 1] = fstatSync(fd, { bigint: true }).ino;
      if (item.fd === undefined && lost === undefined)
        finishContent(fd, { ...item, isBare: isNew && !heirs.inherit(item.directory) }, tools);
      else if (item.fd === undefined && isNew) setAside(item.directory, item.node.name);
      return lost === undefined ? undefined : { kind: 'lost', message: lost };
    } finally {
      if (item.fd === undefined) closeSync(fd);
    }
  };
  const writePieces = (fd: number, item: WriteItem, isNew: boolean) => {
    let { offset } = item;
    let written = 0;
    let lost: string | undefined;
    for (const [at, { length }] of item.pieces.entries()) {
      const blob = item.blobs[at];
      const bytes = blob === undefined ? undefined : blobs.open(blob);
      if (bytes instanceof Error) lost ??= bytes.message;
      else if (bytes !== undefined)
        written += writeSparsely(fd, bytes, { offset, isNew, name: item.node.name }, tools.syscalls);
      offset += length;
    }
    return { lost, written };
  };
  for (const [number, item] of job.items.entries()) {
    inodes.push(0n);
    const problem = refusalOf(() => writeOne(item));
    if (problem !== undefined) problems.push({ item: number, ...problem });
  }
  for (const buffer of job.buffers) releaseMemory(new Uint8Array(buffer));
  return { problems, bytesWritten, inodes };
}

/** What the kernel refuses for this name alone is that name's problem; a full target is everybody's. */
export function refusalOf(work: () => Omit<ItemProblem, 'item'> | undefined): Omit<ItemProblem, 'item'> | undefined {
  try {
    return work();
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined || !refusals.has(code)) throw error;
    return { kind: 'unwritable', message: code };
  }
}

const refusals: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EEXIST',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'ENXIO',
  'EINVAL',
  'ETXTBSY',
]);

export const directoryInTheWay = 'a directory that is not empty is in its place; --delete removes it';

/**
 * Size and metadata, when all content is there.
 * @param file `isBare` when it has no attributes for certain, without asking
 */
export function finishContent(
  fd: number,
  file: { readonly directory: number; readonly node: FileNode; readonly isBare?: boolean },
  { syscalls, degraded }: Pick<WriteTools, 'syscalls' | 'degraded'>,
): void {
  const { directory, node, isBare } = file;
  const stats = fstatSync(fd);
  const known = { modeNow: stats.mode & 0o7777, present: isBare === true ? [] : undefined };
  finishFile(
    { fd, path: pathIn(directory, node.name), stats, size: stats.size, ...known },
    fileEntryOf(node),
    syscalls,
    degraded,
  );
}

const setGroupBit = 0o2000;

/** What new files of a job's directories get by themselves: directories are asked once for an ACL or a group that they hand down. */
function heirsOf(syscalls: Syscalls) {
  const known = new Map<number, boolean>();
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  const inherit = (directory: number): boolean => {
    const found = known.get(directory);
    if (found !== undefined) return found;
    const hasAcl = () =>
      syscalls
        .listXattrsOf(directory, `/proc/self/fd/${directory}`)
        .some(({ name }) => name === 'system.posix_acl_default');
    const isHandedDown = (fstatSync(directory).mode & setGroupBit) !== 0 || hasAcl();
    known.set(directory, isHandedDown);
    return isHandedDown;
  };
  return {
    inherit,
    /** Whether a file may have its last mode from the beginning: it lets in nobody whom it will not let in when it is done. */
    mayHaveMode: (directory: number, node: FileNode): boolean =>
      node.uid === uid && node.gid === gid && !inherit(directory),
  };
}

/** What is left of a file that can't be whole must not pass for it. */
export function setAside(directory: number, name: ByteString): void {
  const incomplete = `${name.slice(0, 255 - incompleteSuffix.length)}${incompleteSuffix}`;
  renameSync(bytesOf(pathIn(directory, name)), bytesOf(pathIn(directory, incomplete)));
}

const incompleteSuffix = '.incomplete';

/**
 * Undefined when a directory that must be kept is in its way.
 * @param mayHaveMode whether what is made gets its last mode at once, instead of one for its owner alone
 */
export function openForWriting(
  { directory, node, isNew }: Pick<WriteItem, 'directory' | 'node' | 'isNew'>,
  wholeTrees: 'remove' | 'keep',
  mayHaveMode = false,
): { readonly fd: number; readonly isNew: boolean } | undefined {
  const path = bytesOf(pathIn(directory, node.name));
  if (!isNew) {
    const fd = openExisting(path);
    if (fd !== undefined) return { fd, isNew: false };
    if (!clearName(directory, node.name, wholeTrees)) return undefined;
  }
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  return { fd: openSync(path, flags, mayHaveMode ? node.mode & 0o777 : 0o600), isNew: true };
}

/** A regular file with one name, for reading and writing. Another name of it may lie anywhere, and must not change. */
function openExisting(path: Buffer): number | undefined {
  const before = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (before === undefined || !before.isFile() || before.nlink !== 1n) return undefined;
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'ETXTBSY') return undefined;
    throw error;
  }
  const stats = fstatSync(fd, { bigint: true });
  if (stats.isFile() && stats.nlink === 1n && stats.ino === before.ino) return fd;
  closeSync(fd);
  return undefined;
}

/** For each piece, whether the file has these bytes already; undefined when there is no such file. */
export function probeFile(item: FileItem, buffer: Buffer): readonly boolean[] | undefined {
  const fd = item.fd ?? openExisting(bytesOf(pathIn(item.directory, item.node.name)));
  if (fd === undefined) return undefined;
  try {
    let offset = item.offset;
    return item.pieces.map(({ id, length }) => {
      const isSame = hasBytes(fd, offset, { id, length }, buffer);
      offset += length;
      return isSame;
    });
  } finally {
    if (item.fd === undefined) closeSync(fd);
  }
}

export function hasBytes(
  fd: number,
  offset: number,
  { id, length }: { readonly id: string; readonly length: number },
  buffer: Buffer,
): boolean {
  const bytes = length <= buffer.length ? buffer.subarray(0, length) : Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const got = readSync(fd, bytes, done, length - done, offset + done);
    if (got === 0) return false;
    done += got;
  }
  return idOf(bytes) === id;
}

/** Contents of a job's blobs, each valid until the next is asked for. */
function openBlobs({ blobs, buffers }: WriteJob, { key, small }: Pick<WriteTools, 'key' | 'small'>) {
  let last: { readonly number: number; readonly content: Buffer | Error } | undefined;
  const unsealed = (blob: FetchedBlob): Buffer | Error => {
    if (blob.from === undefined) return new Error(`blob ${blob.id} of pack ${blob.pack} is missing`);
    const sealed = new Uint8Array(buffers[blob.from.buffer] ?? new ArrayBuffer(0), blob.from.offset, blob.length);
    try {
      return small?.open(sealed, blob) ?? unsealBlob(key, sealed, blob, blob.pack);
    } catch (error) {
      return error instanceof Error
        ? new Error(`blob ${blob.id} of pack ${blob.pack} is damaged`)
        : new Error(String(error));
    }
  };
  // What `small` opens, of whatever size, lies in memory of its own: nobody may release that.
  return {
    open(number: number): Buffer | Error {
      if (last?.number === number) return last.content;
      const blob = blobs[number];
      const content = blob === undefined ? new Error('a blob is missing') : unsealed(blob);
      last = { number, content };
      return content;
    },
  };
}

const pageBytes = 4096;
const zeroPage = Buffer.alloc(pageBytes);

interface WritePlace {
  readonly offset: number;
  /** Holes need no clearing then. */
  readonly isNew: boolean;
  readonly name: ByteString;
}

/** Bytes written: all but pages of zeros. */
function writeSparsely(fd: number, bytes: Buffer, { offset, isNew, name }: WritePlace, syscalls: Syscalls): number {
  let written = 0;
  const flush = (from: number, to: number, isZero: boolean) => {
    if (from === to) return;
    if (!isZero) {
      writeFully(fd, bytes.subarray(from, to), offset + from, name);
      written += to - from;
    } else if (!isNew) clearRange(fd, offset + from, to - from, name, syscalls);
  };
  let from = 0;
  let wasZero = false;
  for (let at = 0; at < bytes.length; ) {
    // Pages of the file, not of the blob.
    const end = Math.min(bytes.length, at + pageBytes - ((offset + at) % pageBytes));
    const isZero = bytes[at] === 0 && bytes.compare(zeroPage, 0, end - at, at, end) === 0;
    if (isZero !== wasZero) {
      flush(from, at, wasZero);
      from = at;
      wasZero = isZero;
    }
    at = end;
  }
  flush(from, bytes.length, wasZero);
  return written;
}

/** Makes zeros of it, by a hole where there can be one. */
export function clearRange(fd: number, offset: number, length: number, name: ByteString, syscalls: Syscalls): void {
  const stats = fstatSync(fd);
  const end = stats.isFile() ? Math.min(offset + length, stats.size) : offset + length;
  if (end <= offset) return;
  if (!syscalls.punchHole(fd, offset, end - offset)) writeFully(fd, Buffer.alloc(end - offset), offset, name);
}

function writeFully(fd: number, bytes: Buffer, offset: number, name: ByteString): void {
  try {
    let done = 0;
    while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOSPC' || code === 'EDQUOT')
      failRepository(
        'TargetFull',
        'The target has no room left',
        name,
        'Make room and restore again; what is there already is kept.',
      );
    failRepository('TargetUnwritable', `Writing failed with ${code ?? String(error)}`, name);
  }
}
