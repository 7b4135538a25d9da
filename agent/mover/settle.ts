/**
 * Makes small things and sets metadata on the destination. Order within one entry matters: chown clears setuid bits and
 * capabilities, chmod changes an ACL's mask, everything changes times: so owner, mode, attributes, mtime.
 * What the kernel refuses us is counted by kind instead of failing; what is a real I/O error fails.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  lstatSync,
  openSync,
  readlinkSync,
  rmSync,
  type Stats,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import type { Counts } from './contract.ts';
import type { Entry, EntryType } from './entry.ts';
import type { SettleAnswer, SettleJob } from './job.ts';
import { errnoOf, fail } from './mover-error.ts';
import type { ByteString, Syscalls, Xattr } from './syscalls.ts';

export function settle(job: SettleJob, syscalls: Syscalls): SettleAnswer {
  const degraded: Record<string, number> = {};
  for (const action of job.actions) {
    const { entry } = action;
    const path = entry.path === '' ? job.root : `${job.root}/${entry.path}`;
    const exists = action.do === 'finish' || create(path, entry, syscalls, degraded);
    if (exists) setMetadata(path, entry, syscalls, degraded);
  }
  return { degraded };
}

export type Degraded = Record<string, number>;

const refusals: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'ENOSYS', 'EINVAL', 'EROFS']);

/** Runs one setting; counts a refusal under `kind`. */
export function attempt(kind: string, degraded: Degraded, path: ByteString, set: () => void): boolean {
  try {
    set();
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined || !refusals.has(code)) {
      fail(
        code === 'ENOSPC' ? 'VolumeFull' : 'VolumeUnwritable',
        `Setting ${kind} failed with ${code ?? String(error)}`,
        path,
      );
    }
    degraded[kind] = (degraded[kind] ?? 0) + 1;
    return false;
  }
}

const fileTypeBits: Readonly<Partial<Record<EntryType, number>>> = {
  fifo: 0o010000,
  character: 0o020000,
  block: 0o060000,
  socket: 0o140000,
};

function create(path: ByteString, entry: Entry, syscalls: Syscalls, degraded: Degraded): boolean {
  const name = Buffer.from(path, 'latin1');
  if (entry.type === 'file') {
    closeSync(openSync(name, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
    return true;
  }
  if (entry.type === 'symlink' && linkTextAt(name) === entry.target) return true;
  rmSync(name, { force: true });
  if (entry.type === 'symlink') {
    symlinkSync(Buffer.from(entry.target, 'latin1'), name);
    return true;
  }
  const bits = fileTypeBits[entry.type] ?? fail('ProtocolError', `A ${entry.type} can't be created so`, path);
  return attempt('special', degraded, path, () => syscalls.makeNode(path, bits | 0o600, entry.rdev));
}

function linkTextAt(name: Buffer): ByteString | undefined {
  try {
    return readlinkSync(name, 'latin1');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'EINVAL') return undefined;
    throw error;
  }
}

function setMetadata(path: ByteString, entry: Entry, syscalls: Syscalls, degraded: Degraded): void {
  const name = Buffer.from(path, 'latin1');
  const stats = lstatSync(name);
  if (entry.type === 'file' && stats.size !== entry.size) truncateSync(name, entry.size);
  if (stats.uid !== entry.uid || stats.gid !== entry.gid) {
    attempt('owner', degraded, path, () => lchownSync(name, entry.uid, entry.gid));
  }
  if (entry.type !== 'symlink') attempt('mode', degraded, path, () => chmodSync(name, entry.mode));
  const change = { path, present: syscalls.listXattrs(path), wanted: entry.xattrs };
  setXattrs(change, xattrsOfName(path, syscalls), degraded);
  attempt('mtime', degraded, path, () => syscalls.setMtime(path, entry.mtimeNs));
}

/** The same for a file that is open for writing, in fewer calls; `size` is what it has now. */
export function finishFile(file: OpenFile, entry: Entry, syscalls: Syscalls, degraded: Degraded): void {
  const { fd, path, stats, size } = file;
  if (size !== entry.size) ftruncateSync(fd, entry.size);
  if (stats.uid !== entry.uid || stats.gid !== entry.gid) {
    attempt('owner', degraded, path, () => fchownSync(fd, entry.uid, entry.gid));
  }
  attempt('mode', degraded, path, () => fchmodSync(fd, entry.mode));
  const change = { path, present: syscalls.listXattrsOf(fd, path), wanted: entry.xattrs };
  const setter = {
    set: (xattr: Xattr) => syscalls.setXattrOf(fd, path, xattr),
    remove: (name: string) => syscalls.removeXattrOf(fd, path, name),
  };
  setXattrs(change, setter, degraded);
  attempt('mtime', degraded, path, () => syscalls.setMtimeOf(fd, path, entry.mtimeNs));
}

export interface OpenFile {
  readonly fd: number;
  readonly path: ByteString;
  /** From when it was opened. */
  readonly stats: Pick<Stats, 'uid' | 'gid'>;
  readonly size: number;
}

interface XattrChange {
  /** For errors. */
  readonly path: ByteString;
  readonly present: readonly Xattr[];
  readonly wanted: readonly Xattr[];
}

interface XattrSetter {
  set(xattr: Xattr): void;
  remove(name: string): void;
}

/** By name; never follows a symlink. */
export const xattrsOfName = (path: ByteString, syscalls: Syscalls): XattrSetter => ({
  set: (xattr) => syscalls.setXattr(path, xattr),
  remove: (name) => syscalls.removeXattr(path, name),
});

export function setXattrs({ path, present, wanted: all }: XattrChange, setter: XattrSetter, degraded: Degraded): void {
  for (const { name } of present) {
    if (all.some((wanted) => wanted.name === name)) continue;
    attempt('xattr', degraded, path, () => setter.remove(name));
  }
  for (const wanted of all) {
    const mine = present.find(({ name }) => name === wanted.name);
    if (mine !== undefined && Buffer.compare(mine.value, wanted.value) === 0) continue;
    attempt('xattr', degraded, path, () => setter.set(wanted));
  }
}

export function sumCounts(left: Counts, right: Counts): Counts {
  // Asked for each batch, and mostly there is nothing to add.
  if (Object.keys(right).length === 0) return left;
  const sum: Record<string, number> = { ...left };
  for (const [kind, count] of Object.entries(right)) sum[kind] = (sum[kind] ?? 0) + count;
  return sum;
}
