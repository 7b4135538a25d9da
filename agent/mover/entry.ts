/**
 * One name in a volume with all metadata we carry, its bytes on the wire and on disk, and the order of entries:
 * depth first, names compared as bytes, a directory before what it holds. Paths are byte strings relative to the volume's
 * root, which itself is the entry with path ''. A raw block device is one entry of type `volume`.
 */
import type { ByteReader, ByteWriter } from './byte-codec.ts';
import { fail } from './mover-error.ts';
import type { ByteString, Xattr } from './syscalls.ts';

export const entryTypes = [
  'directory',
  'file',
  'symlink',
  'hardlink',
  'fifo',
  'socket',
  'character',
  'block',
  'volume',
] as const;
export type EntryType = (typeof entryTypes)[number];

export interface Entry {
  readonly path: ByteString;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky: 0–07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Of files and volumes; else 0. */
  readonly size: number;
  /** What a symlink says, or the path of the first name of a hard link. */
  readonly target: ByteString;
  /** Device number of character and block devices; else 0. */
  readonly rdev: bigint;
  readonly xattrs: readonly Xattr[];
}

export const hasContent = (entry: Entry): boolean => entry.type === 'file' || entry.type === 'volume';
export const isSpecial = (type: EntryType): boolean =>
  type === 'fifo' || type === 'socket' || type === 'character' || type === 'block';

export const slash = 47;

/** Order of the walk: `a` < `a/x` < `a-b`, as if `/` were the smallest byte. */
export function comparePaths(left: ByteString, right: ByteString): number {
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) return (a === slash ? 0 : a) - (b === slash ? 0 : b);
  }
  return left.length - right.length;
}

export const isWithin = (path: ByteString, top: ByteString): boolean => path === top || isBelow(path, top);

/** '' of what is in the root. */
export const parentOf = (path: ByteString): ByteString => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export const isBelow = (path: ByteString, directory: ByteString): boolean =>
  directory === '' ? path !== '' : path.length > directory.length && path.startsWith(`${directory}/`);

const pathLimitBytes = 65_536;
const noXattrs: readonly Xattr[] = [];
const xattrLimit = 1024;

export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.byte(entryTypes.indexOf(entry.type));
  writer.text(entry.path);
  writer.number(entry.mode);
  writer.number(entry.uid);
  writer.number(entry.gid);
  writer.int64(entry.mtimeNs);
  writer.number(entry.size);
  writer.text(entry.target);
  writer.int64(entry.rdev);
  writeXattrs(writer, entry.xattrs);
}

export function writeXattrs(writer: ByteWriter, xattrs: readonly Xattr[]): void {
  writer.number(xattrs.length);
  for (const { name, value } of xattrs) {
    writer.text(name);
    writer.bytes(value);
  }
}

/** Refuses what no honest walk sends: names with `.`/`..`/empty parts, wrong types, out-of-range numbers. */
export function readEntry(reader: ByteReader): Entry {
  const type = entryTypes[reader.byte()] ?? fail('ProtocolError', 'An entry has an unknown type');
  const path = readPath(reader);
  const mode = reader.number();
  if (mode > 0o7777) fail('ProtocolError', 'An entry has mode bits beyond 07777');
  const uid = reader.number();
  const gid = reader.number();
  if (uid > 0xffffffff || gid > 0xffffffff) fail('ProtocolError', 'An entry has an owner beyond 32 bits');
  const mtimeNs = reader.int64();
  const size = reader.number();
  const target = reader.text(pathLimitBytes);
  if (type === 'hardlink') assertSafePath(target);
  const rdev = reader.int64();
  const count = reader.number();
  if (count > xattrLimit) fail('ProtocolError', 'An entry has too many attributes');
  const xattrs =
    count === 0
      ? noXattrs
      : Array.from({ length: count }, () => ({ name: reader.text(255), value: reader.bytes(65_536) }));
  return { path, type, mode, uid, gid, mtimeNs, size, target, rdev, xattrs };
}

/** Refuses one that leads out of a volume. */
export function readPath(reader: ByteReader): ByteString {
  const path = reader.text(pathLimitBytes);
  assertSafePath(path);
  return path;
}

export function assertSafePath(path: ByteString): void {
  if (path === '') return;
  for (let from = 0; from <= path.length; ) {
    const slashAt = path.indexOf('/', from);
    const end = slashAt < 0 ? path.length : slashAt;
    if (!isSafeName(path, from, end)) fail('ProtocolError', 'An entry has a path that leaves its volume');
    from = end + 1;
  }
  if (path.includes('\0')) fail('ProtocolError', 'An entry has a path that leaves its volume');
}

const dot = 46;

function isSafeName(path: ByteString, from: number, end: number): boolean {
  const length = end - from;
  if (length === 0 || length > 255) return false;
  if (length > 2 || path.charCodeAt(from) !== dot) return true;
  return length === 2 && path.charCodeAt(from + 1) !== dot;
}

export function sameMetadata(left: Entry, right: Entry): boolean {
  return (
    left.type === right.type &&
    left.mode === right.mode &&
    left.uid === right.uid &&
    left.gid === right.gid &&
    left.mtimeNs === right.mtimeNs &&
    left.size === right.size &&
    left.target === right.target &&
    left.rdev === right.rdev &&
    sameXattrs(left.xattrs, right.xattrs)
  );
}

export function sameXattrs(left: readonly Xattr[], right: readonly Xattr[]): boolean {
  if (left.length !== right.length) return false;
  return left.every(({ name, value }, at) => {
    const other = right[at];
    return other !== undefined && other.name === name && Buffer.compare(other.value, value) === 0;
  });
}
