/**
 * Makes small things and sets metadata on the destination. Order within one entry matters: chown clears setuid bits and
 * capabilities, chmod changes an ACL's mask, everything changes times: so owner, mode, attributes, mtime (`user.*` before the mode, which may forbid them to their owner).
 * What the kernel refuses us is counted by kind instead of failing; what is a real I/O error fails.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  lchownSync,
  lstatSync,
  openSync,
  readlinkSync,
  rmSync,
  type Stats,
  symlinkSync,
} from 'node:fs';
import type { Counts } from './contract.ts';
import type { Entry, EntryType } from './entry.ts';
import type { Refused, SettleAction, SettleAnswer, SettleJob } from './job.ts';
import { errnoOf, fail } from './mover-error.ts';
import type { ByteString, Syscalls, Xattr } from './syscalls.ts';
import {
  ofDescriptor,
  openPathOnly,
  placeToChange,
  shownPath,
  type WithinVolume,
  withinVolume,
} from './within-volume.ts';

export function settle(job: SettleJob, syscalls: Syscalls): SettleAnswer {
  const found = createRefusals();
  using volume = withinVolume(job.root);
  for (const action of job.actions) found.add(action.entry, settleOne(volume, action, syscalls));
  return found.answer();
}

/** Answers what of it was refused. */
export function settleOne(volume: WithinVolume, action: SettleAction, syscalls: Syscalls): Degraded {
  const degraded: Degraded = {};
  const { entry } = action;
  const of = { place: placeToChange(volume, entry.path), path: shownPath(volume.root, entry.path), entry };
  const exists = action.do === 'finish' || create(of, syscalls, degraded);
  if (exists) setMetadata(of, syscalls, degraded);
  return degraded;
}

/** Gathers what was refused, entry by entry. */
export function createRefusals() {
  let degraded: Counts = {};
  const refused: Refused[] = [];
  return {
    add(entry: Entry, own: Degraded): void {
      const kinds = Object.keys(own);
      if (kinds.length === 0) return;
      degraded = sumCounts(degraded, own);
      refused.push({ entry, kinds });
    },
    answer: (): SettleAnswer => ({ degraded, refused }),
  };
}

export type Degraded = Record<string, number>;

const refusals: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'ENOSYS', 'EINVAL', 'EROFS']);

/** Runs one setting; counts a refusal under `kind`, unless it is set already. */
export function attempt(
  kind: string,
  degraded: Degraded,
  path: ByteString,
  set: () => void,
  isSet: () => boolean = () => false,
): boolean {
  try {
    set();
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code !== undefined && refusals.has(code) && isSet()) return true;
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

interface Placed {
  /** For calls of the kernel. */
  readonly place: ByteString;
  /** For people. */
  readonly path: ByteString;
  readonly entry: Entry;
}

function create({ place, path, entry }: Placed, syscalls: Syscalls, degraded: Degraded): boolean {
  const name = Buffer.from(place, 'latin1');
  if (entry.type === 'file') {
    closeSync(openToWrite(name, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW));
    return true;
  }
  if (entry.type === 'symlink' && linkTextAt(name) === entry.target) return true;
  rmSync(name, { force: true });
  if (entry.type === 'symlink') {
    symlinkSync(Buffer.from(entry.target, 'latin1'), name);
    return true;
  }
  const bits = fileTypeBits[entry.type] ?? fail('ProtocolError', `A ${entry.type} can't be created so`, path);
  return attempt('special', degraded, path, () => syscalls.makeNode(place, bits | 0o600, entry.rdev));
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

/** Of a file whose mode is set in the end: its owner may write it until then. */
export const newFileMode = 0o600;
/** Bits of a mode that lend no rights of owner or group. */
export const permissionBits = 0o777;

/** Who owns a file may write it whatever its mode, once it has changed that; root may anyway. The mode is set in the end. */
export function openToWrite(name: Buffer, flags: number, mode = newFileMode): number {
  try {
    return openSync(name, flags, mode);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES' || !isOwnFile(name)) throw error;
    setModeOf(name, newFileMode);
    return openSync(name, flags, mode);
  }
}

function isOwnFile(name: Buffer): boolean {
  const stats = lstatSync(name, { throwIfNoEntry: false });
  return stats?.isFile() === true && stats.uid === process.geteuid?.();
}

/** chmod follows a symlink that took the name's place. */
function setModeOf(name: Buffer, mode: number): void {
  const fd = openSync(name, openPathOnly | constants.O_NOFOLLOW);
  try {
    chmodSync(ofDescriptor(fd), mode);
  } finally {
    closeSync(fd);
  }
}

function setMetadata({ place, path, entry }: Placed, syscalls: Syscalls, degraded: Degraded): void {
  const name = Buffer.from(place, 'latin1');
  const stats = lstatSync(name);
  if (entry.type === 'file' && stats.size !== entry.size) truncate(name, entry.size);
  setAll({ path, stats, entry }, degraded, {
    owner: (uid, gid) => lchownSync(name, uid, gid),
    mode: (mode) => setModeOf(name, mode),
    mtime: () => syscalls.setMtime(place, entry.mtimeNs),
    stats: () => lstatSync(name, { bigint: true }),
    present: () => syscalls.listXattrs(place),
    xattrs: xattrsOfName(place, syscalls),
  });
}

function truncate(name: Buffer, size: number): void {
  const fd = openToWrite(name, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    ftruncateSync(fd, size);
  } finally {
    closeSync(fd);
  }
}

/** The same for a file that is open for writing, in fewer calls; `size` is what it has now. */
export function finishFile(file: OpenFile, entry: Entry, syscalls: Syscalls, degraded: Degraded): void {
  const { fd, path, stats, size, modeNow } = file;
  if (size !== entry.size) ftruncateSync(fd, entry.size);
  setAll({ path, stats, entry, modeNow }, degraded, {
    owner: (uid, gid) => fchownSync(fd, uid, gid),
    mode: (mode) => fchmodSync(fd, mode),
    mtime: () => syscalls.setMtimeOf(fd, path, entry.mtimeNs),
    stats: () => fstatSync(fd, { bigint: true }),
    present: () => file.present ?? syscalls.listXattrsOf(fd, path),
    xattrs: {
      set: (xattr) => syscalls.setXattrOf(fd, path, xattr),
      remove: (name) => syscalls.removeXattrOf(fd, path, name),
    },
  });
}

interface Setters {
  owner(uid: number, gid: number): void;
  mode(mode: number): void;
  mtime(): void;
  /** As they are now. */
  stats(): { readonly mode: bigint; readonly mtimeNs: bigint };
  present(): readonly Xattr[];
  readonly xattrs: XattrSetter;
}

function setAll(
  { path, stats, entry, modeNow }: Pick<OpenFile, 'path' | 'stats' | 'modeNow'> & { readonly entry: Entry },
  degraded: Degraded,
  set: Setters,
): void {
  const hasOwner = stats.uid === entry.uid && stats.gid === entry.gid;
  const isOwnerRight = hasOwner || setOwner({ path, stats, entry }, degraded, set);
  const present = set.present();
  // Those need a file that may be written, and the rest the right mode.
  setXattrs({ path, present, wanted: entry.xattrs, which: 'User' }, set.xattrs, degraded);
  // Another owner takes away only what would lend his rights.
  const isModeRight = modeNow === entry.mode && (hasOwner || (entry.mode & ~permissionBits) === 0);
  if (entry.type !== 'symlink' && !isModeRight) setMode({ path, entry, isOwnerRight }, degraded, set);
  setXattrs({ path, present, wanted: entry.xattrs, which: 'Others' }, set.xattrs, degraded);
  attempt('mtime', degraded, path, set.mtime, () => set.stats().mtimeNs === entry.mtimeNs);
}

function setOwner(
  { path, stats, entry }: { readonly path: ByteString; readonly stats: OpenFile['stats']; readonly entry: Entry },
  degraded: Degraded,
  set: Setters,
): boolean {
  if (attempt('owner', degraded, path, () => set.owner(entry.uid, entry.gid))) return true;
  // The group of a file of one's own may be one of one's groups.
  if (stats.gid !== entry.gid && stats.uid !== entry.uid) attempt('owner', {}, path, () => set.owner(-1, entry.gid));
  return false;
}

/** Bits that lend rights of owner or group. */
const lendingBits = 0o6000;

function setMode(
  { path, entry, isOwnerRight }: { readonly path: ByteString; readonly entry: Entry; readonly isOwnerRight: boolean },
  degraded: Degraded,
  set: Setters,
): void {
  // They would lend somebody else's.
  const mode = isOwnerRight || entry.type === 'directory' ? entry.mode : entry.mode & ~lendingBits;
  const now = () => Number(set.stats().mode & 0o7777n);
  const isDone = attempt(
    'mode',
    degraded,
    path,
    () => set.mode(mode),
    () => now() === entry.mode,
  );
  // To who isn't in the group the kernel says yes and leaves the bit out.
  if (isDone && (entry.mode & lendingBits) !== 0 && now() !== entry.mode) degraded.mode = (degraded.mode ?? 0) + 1;
}

export interface OpenFile {
  readonly fd: number;
  readonly path: ByteString;
  /** From when it was opened. */
  readonly stats: Pick<Stats, 'uid' | 'gid'>;
  readonly size: number;
  /** Its mode at this moment, when that is known: st_mode's low twelve bits. */
  readonly modeNow?: number | undefined;
  /** Its attributes, when they are known. */
  readonly present?: readonly Xattr[] | undefined;
}

interface XattrChange {
  /** For errors. */
  readonly path: ByteString;
  readonly present: readonly Xattr[];
  readonly wanted: readonly Xattr[];
  /** All when absent. */
  readonly which?: 'User' | 'Others' | undefined;
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

export function setXattrs(
  { path, present, wanted: all, which }: XattrChange,
  setter: XattrSetter,
  degraded: Degraded,
): void {
  const isMeant = ({ name }: Xattr) => which === undefined || name.startsWith('user.') === (which === 'User');
  for (const { name } of present.filter(isMeant)) {
    if (all.some((wanted) => wanted.name === name)) continue;
    attempt('xattr', degraded, path, () => setter.remove(name));
  }
  for (const wanted of all.filter(isMeant)) {
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
