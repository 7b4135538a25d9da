/**
 * The system calls that node:fs lacks, through node:ffi, in this one module: holes, extended attributes, nanosecond times,
 * special files, page-cache advice, sizes of block devices. Paths are byte strings (latin1: one character per byte), so any
 * file name works. Calls are synchronous: use them in worker threads, or for single small things.
 * A call that the kernel refuses throws Errno with the errno's name; without node:ffi (`available` false) the calls that have
 * a fallback in node:fs use it, the others throw Errno `ENOSYS`.
 */
import { accessSync, futimesSync, lutimesSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as os } from 'node:os';
import { basename } from 'node:path';

/** A file name or path as bytes: each character is one byte (0–255). */
export type ByteString = string;

/** What the kernel refused: `code` is `EPERM`, `ENOTSUP`, … */
export class Errno extends Error {
  override readonly name = 'Errno';
  readonly code: string;
  constructor(call: string, code: string, path: string) {
    super(`${call} ${path}: ${code}`);
    this.code = code;
  }
}

export interface Syscalls {
  readonly available: boolean;
  /** Opens a name of an open directory. @param flags of node:fs. @param mode of a file that it makes */
  openIn(directory: number, name: ByteString, flags: number, mode: number): number;
  /** Offset of the next data at or after `offset`; undefined when only a hole follows; `offset` itself when unknown. */
  nextData(fd: number, offset: number): number | undefined;
  /** Attributes we carry: `user.*`, POSIX ACLs, `security.capability`; sorted by name. Empty where the file system has none. */
  listXattrs(path: ByteString): readonly Xattr[];
  setXattr(path: ByteString, xattr: Xattr): void;
  removeXattr(path: ByteString, name: string): void;
  /** Undefined when it isn't there, or can't be. */
  getXattr(path: ByteString, name: string): Uint8Array | undefined;
  /** The same of an open file. @param path for errors */
  listXattrsOf(fd: number, path: ByteString): readonly Xattr[];
  setXattrOf(fd: number, path: ByteString, xattr: Xattr): void;
  removeXattrOf(fd: number, path: ByteString, name: string): void;
  /** Sets mtime (and atime to the same), never following a symlink. */
  setMtime(path: ByteString, mtimeNs: bigint): void;
  setMtimeOf(fd: number, path: ByteString, mtimeNs: bigint): void;
  makeNode(path: ByteString, mode: number, rdev: bigint): void;
  /** Makes `[offset, offset + length)` a hole without changing the size; false when the file system can't. */
  punchHole(fd: number, offset: number, length: number): boolean;
  /** Asks the kernel to forget what it has cached of this range, dirty pages excepted, and to begin reading it anew; best effort. */
  readAnew(fd: number, offset: number, length: number): void;
  /** Begins to write dirty pages of this range to storage, waiting for none; best effort. */
  beginWriteback(fd: number, offset: number, length: number): void;
  blockDeviceSize(fd: number, path: ByteString): number;
  /** Memory whose address is a multiple of `alignment`; undefined when nobody can tell. */
  alignedBuffer(sizeBytes: number, alignment: number): Buffer | undefined;
  /** Whether the one we run as may do all of it, following no symlink at the end. */
  mayAccess(path: ByteString, to: Access): boolean;
  /** Writes everything dirty of the file system that holds `fd` to its storage; false when that can't be asked for. */
  syncFileSystem(fd: number): boolean;
  /** Looks at names in directories (raw-stat.ts); undefined when only node:fs can. */
  readonly lookAt: LookAt | undefined;
}

/** statx with memory that is used again by the next call. */
export interface LookAt {
  /** At a name in an open directory, following no symlink; false when the kernel refuses. What it says is in `words`. */
  call(directory: number, name: ByteString): boolean;
  /** A struct statx. */
  readonly words: Int32Array;
}

/** Of files, and of directories: list them, change names in them. */
export type Access = 'readWrite' | 'change';

export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

/** An update's mark where no file can be one (incoming-marker.ts): no part of a volume. */
export const markAttribute = 'user.stork.incoming';

const atCwd = -100;
/** As node:fs opens whatever it opens. */
const closeOnExec = 0o2000000;
const atEffectiveAccess = 0x200;
const accessBits: Readonly<Record<Access, number>> = { readWrite: 6, change: 7 };
const atSymlinkNofollow = 0x100;
const seekData = 3;
const punchHoleKeepSize = 0x03;
const fadviseWillneed = 3;
const fadviseDontneed = 4;
const syncFileRangeWrite = 2;
const blkGetSize64 = 0x80081272n;
const xattrLimitBytes = 65_536;
const nameLimitBytes = 255;
const statxBytes = 256;
/** Basic stats but the time of the last access. */
const statxWanted = 0x7df;
/** The kernel takes 4096. */
const pathLimitBytes = 8192;

export function openSyscalls(): Syscalls {
  const libc = openLibc();
  return libc === undefined ? fallbackSyscalls() : nativeSyscalls(libc);
}

const toPath = (path: ByteString): Buffer => Buffer.from(`${path}\0`, 'latin1');

const isCarried = (name: string): boolean =>
  (name.startsWith('user.') && name !== markAttribute) ||
  name.startsWith('system.posix_acl_') ||
  name === 'security.capability';

type Libc = NonNullable<ReturnType<typeof openLibc>>;

function openLibc() {
  try {
    // Required, not imported: a build of Node without FFI must still load this module.
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi');
    const { functions } = ffi.dlopen('libc.so.6', {
      openat: { arguments: ['i32', 'pointer', 'i32', 'u32'], return: 'i32' },
      lseek: { arguments: ['i32', 'i64', 'i32'], return: 'i64' },
      llistxattr: { arguments: ['pointer', 'pointer', 'u64'], return: 'i64' },
      flistxattr: { arguments: ['i32', 'pointer', 'u64'], return: 'i64' },
      lgetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'u64'], return: 'i64' },
      fgetxattr: { arguments: ['i32', 'buffer', 'buffer', 'u64'], return: 'i64' },
      lsetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'u64', 'i32'], return: 'i32' },
      lremovexattr: { arguments: ['buffer', 'buffer'], return: 'i32' },
      fsetxattr: { arguments: ['i32', 'buffer', 'buffer', 'u64', 'i32'], return: 'i32' },
      fremovexattr: { arguments: ['i32', 'buffer'], return: 'i32' },
      utimensat: { arguments: ['i32', 'buffer', 'buffer', 'i32'], return: 'i32' },
      futimens: { arguments: ['i32', 'pointer'], return: 'i32' },
      faccessat: { arguments: ['i32', 'buffer', 'i32', 'i32'], return: 'i32' },
      mknod: { arguments: ['buffer', 'u32', 'u64'], return: 'i32' },
      fallocate: { arguments: ['i32', 'i32', 'i64', 'i64'], return: 'i32' },
      posix_fadvise: { arguments: ['i32', 'i64', 'i64', 'i32'], return: 'i32' },
      sync_file_range: { arguments: ['i32', 'i64', 'i64', 'u32'], return: 'i32' },
      syncfs: { arguments: ['i32'], return: 'i32' },
      statx: { arguments: ['i32', 'pointer', 'i32', 'u32', 'pointer'], return: 'i32' },
      ioctl: { arguments: ['i32', 'u64', 'buffer'], return: 'i32' },
      __errno_location: { arguments: [], return: 'pointer' },
    });
    const errnoAt = functions.__errno_location();
    return { ...functions, errno: () => errnoName(ffi.getInt32(errnoAt, 0)), addressOf: ffi.getRawPointer };
  } catch {
    // No FFI or no glibc: the caller falls back and the result counts what could not be kept.
    return undefined;
  }
}

const errnoNames = new Map(Object.entries(os.errno).map(([name, code]) => [code, name]));
// Linux calls both 95; os.constants may list EOPNOTSUPP last.
const errnoName = (code: number): string =>
  code === os.errno.ENOTSUP ? 'ENOTSUP' : (errnoNames.get(code) ?? `E${code}`);

function nativeSyscalls(libc: Libc): Syscalls {
  const check = (call: string, path: ByteString, answer: number) => {
    if (answer < 0) throw new Errno(call, libc.errno(), path);
  };
  const xattrs = xattrReader(libc);
  const times = pinned(libc, 32);
  const timespecs = new BigInt64Array(times.bytes.buffer, times.bytes.byteOffset, 4);
  const fillTimes = (mtimeNs: bigint) => {
    const seconds = mtimeNs / 1_000_000_000n - (mtimeNs % 1_000_000_000n < 0n ? 1n : 0n);
    // Two timespecs, atime and mtime, in the machine's own order of bytes.
    timespecs[0] = timespecs[2] = seconds;
    timespecs[1] = timespecs[3] = mtimeNs - seconds * 1_000_000_000n;
    return times.bytes;
  };
  const target = pinned(libc, nameLimitBytes + 1);
  return {
    available: true,
    openIn(directory, name, flags, mode) {
      if (name.length > nameLimitBytes) throw new Errno('openat', 'ENAMETOOLONG', name);
      target.bytes[target.bytes.write(name, 0, 'latin1')] = 0;
      const fd = libc.openat(directory, target.address, flags | closeOnExec, mode);
      check('openat', name, fd);
      return fd;
    },
    nextData(fd, offset) {
      const found = libc.lseek(fd, BigInt(offset), seekData);
      if (found >= 0n) return Number(found);
      return libc.errno() === 'ENXIO' ? undefined : offset;
    },
    listXattrs: xattrs.ofPath,
    listXattrsOf: xattrs.ofFile,
    setXattr: (path, { name, value }) =>
      check('lsetxattr', path, libc.lsetxattr(toPath(path), toPath(name), nonEmpty(value), BigInt(value.length), 0)),
    removeXattr: (path, name) => check('lremovexattr', path, libc.lremovexattr(toPath(path), toPath(name))),
    setXattrOf: (fd, path, { name, value }) =>
      check('fsetxattr', path, libc.fsetxattr(fd, toPath(name), nonEmpty(value), BigInt(value.length), 0)),
    removeXattrOf: (fd, path, name) => check('fremovexattr', path, libc.fremovexattr(fd, toPath(name))),
    getXattr: xattrs.oneOf,
    setMtime: (path, mtimeNs) =>
      check('utimensat', path, libc.utimensat(atCwd, toPath(path), fillTimes(mtimeNs), atSymlinkNofollow)),
    setMtimeOf(fd, path, mtimeNs) {
      fillTimes(mtimeNs);
      check('futimens', path, libc.futimens(fd, times.address));
    },
    makeNode: (path, mode, rdev) => check('mknod', path, libc.mknod(toPath(path), mode, rdev)),
    punchHole: (fd, offset, length) => libc.fallocate(fd, punchHoleKeepSize, BigInt(offset), BigInt(length)) === 0,
    readAnew(fd, offset, length) {
      libc.posix_fadvise(fd, BigInt(offset), BigInt(length), fadviseDontneed);
      libc.posix_fadvise(fd, BigInt(offset), BigInt(length), fadviseWillneed);
    },
    beginWriteback: (fd, offset, length) =>
      void libc.sync_file_range(fd, BigInt(offset), BigInt(length), syncFileRangeWrite),
    blockDeviceSize(fd, path) {
      const size = Buffer.alloc(8);
      check('ioctl BLKGETSIZE64', path, libc.ioctl(fd, blkGetSize64, size));
      return Number(size.readBigUInt64LE());
    },
    alignedBuffer(sizeBytes, alignment) {
      const { bytes, address } = pinned(libc, sizeBytes + alignment);
      const skipped = (alignment - Number(address % BigInt(alignment))) % alignment;
      return bytes.subarray(skipped, skipped + sizeBytes);
    },
    mayAccess: (path, to) =>
      libc.faccessat(atCwd, toPath(path), accessBits[to], atEffectiveAccess | atSymlinkNofollow) === 0,
    syncFileSystem: (fd) => libc.syncfs(fd) === 0,
    lookAt: lookAt(libc),
  };
}

function lookAt(libc: Libc): LookAt {
  const target = pinned(libc, nameLimitBytes + 1);
  const seen = pinned(libc, statxBytes);
  return {
    words: new Int32Array(seen.bytes.buffer, seen.bytes.byteOffset, statxBytes / 4),
    call(directory, name) {
      if (name.length > nameLimitBytes) return false;
      target.bytes[target.bytes.write(name, 0, 'latin1')] = 0;
      return libc.statx(directory, target.address, atSymlinkNofollow, statxWanted, seen.address) === 0;
    },
  };
}

/** Memory that keeps its address: passing that is much cheaper than passing a buffer. */
function pinned(libc: Libc, length: number): { readonly bytes: Buffer; readonly address: bigint } {
  const bytes = Buffer.allocUnsafeSlow(length);
  return { bytes, address: libc.addressOf(bytes) };
}

// A zero-length buffer has no address for FFI.
const nonEmpty = (value: Uint8Array): Uint8Array => (value.length === 0 ? Buffer.alloc(1) : value);

function xattrReader(libc: Libc) {
  const names = pinned(libc, xattrLimitBytes);
  const value = pinned(libc, xattrLimitBytes);
  const target = pinned(libc, pathLimitBytes);
  const limit = BigInt(xattrLimitBytes);
  const addressOfPath = (path: ByteString): bigint => {
    if (path.length >= target.bytes.length) throw new Errno('llistxattr', 'ENAMETOOLONG', path);
    target.bytes[target.bytes.write(path, 0, 'latin1')] = 0;
    return target.address;
  };
  const read = (path: ByteString, length: bigint, get: (name: Buffer) => bigint): readonly Xattr[] => {
    if (length === 0n) return [];
    if (length < 0n) {
      const code = libc.errno();
      if (code === 'ENOTSUP' || code === 'ENOSYS') return [];
      throw new Errno('listxattr', code, path);
    }
    const carried = names.bytes.toString('latin1', 0, Number(length)).split('\0').filter(isCarried).sort();
    return carried.flatMap((name) => {
      const size = get(toPath(name));
      // Removed between the two calls: as if it never was there.
      if (size < 0n && libc.errno() === 'ENODATA') return [];
      if (size < 0n) throw new Errno('getxattr', libc.errno(), path);
      return [{ name, value: Buffer.from(value.bytes.subarray(0, Number(size))) }];
    });
  };
  return {
    oneOf(path: ByteString, name: string): Uint8Array | undefined {
      const size = libc.lgetxattr(toPath(path), toPath(name), value.bytes, limit);
      return size < 0n ? undefined : Buffer.from(value.bytes.subarray(0, Number(size)));
    },
    ofPath: (path: ByteString) =>
      read(path, libc.llistxattr(addressOfPath(path), names.address, limit), (name) =>
        libc.lgetxattr(toPath(path), name, value.bytes, limit),
      ),
    ofFile: (fd: number, path: ByteString) =>
      read(path, libc.flistxattr(fd, names.address, limit), (name) => libc.fgetxattr(fd, name, value.bytes, limit)),
  };
}

/** Without FFI: no attributes, no holes to find, times to the precision of a double, no special files. */
function fallbackSyscalls(): Syscalls {
  const refuse = (call: string, path: string): never => {
    throw new Errno(call, 'ENOSYS', path);
  };
  return {
    available: false,
    openIn: (directory, name, flags, mode) =>
      openSync(Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1'), flags, mode),
    nextData: (_fd, offset) => offset,
    listXattrs: () => [],
    listXattrsOf: () => [],
    setXattr: (path) => refuse('lsetxattr', path),
    removeXattr: (path) => refuse('lremovexattr', path),
    setXattrOf: (_fd, path) => refuse('fsetxattr', path),
    removeXattrOf: (_fd, path) => refuse('fremovexattr', path),
    getXattr: () => undefined,
    mayAccess(path, to) {
      try {
        accessSync(Buffer.from(path, 'latin1'), accessBits[to]);
        return true;
      } catch {
        return false;
      }
    },
    setMtime: (path, mtimeNs) => {
      const seconds = Number(mtimeNs) / 1e9;
      lutimesSync(Buffer.from(path, 'latin1'), seconds, seconds);
    },
    setMtimeOf: (fd, _path, mtimeNs) => futimesSync(fd, Number(mtimeNs) / 1e9, Number(mtimeNs) / 1e9),
    makeNode: (path) => refuse('mknod', path),
    punchHole: () => false,
    readAnew: () => undefined,
    beginWriteback: () => undefined,
    alignedBuffer: () => undefined,
    blockDeviceSize: (_fd, path) => {
      const sectors = readFileSync(`/sys/class/block/${basename(path)}/size`, 'utf8');
      return Number(sectors) * 512;
    },
    syncFileSystem: () => false,
    lookAt: undefined,
  };
}
