/**
 * Reads segments of files that may change under us, and hashes their blocks. Never follows a symlink, never opens anything but
 * a regular file or the block device itself, never relies on a file offset. A file that became shorter reads as zeros there;
 * whatever differs from what the walk saw is counted by kind.
 */
import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { cachedBytes, hashSegment, type RunKey, segmentSum, type ZeroHashes } from './content-hash.ts';
import { directReader } from './direct-reader.ts';
import { blockBytes, blockCount, segmentBytes, segmentLength, zeroBlock } from './layout.ts';
import { errnoOf, fail, failUnreadable } from './mover-error.ts';
import type { SegmentPlace } from './scan-units.ts';
import type { ByteString, Syscalls, Xattr } from './syscalls.ts';
import { openWithin, shownPath, type WithinVolume, withinVolume } from './within-volume.ts';

export interface ReadSegment {
  /** A view into the reader's buffer; valid until the next read. */
  readonly bytes: Buffer;
  readonly hash: Buffer;
  /** 1 for each block of zeros. */
  readonly zeros: Uint8Array;
  readonly bytesRead: number;
  readonly warning: 'vanished' | 'shrank' | 'grew' | undefined;
  /** Of the file, when asked for and it is there. */
  readonly xattrs?: readonly Xattr[] | undefined;
}

export interface Hashing {
  readonly key: RunKey;
  readonly zeroHash: ZeroHashes;
}

export interface AlsoRead {
  /** These blocks are read from storage, where that can be told apart; else all is. */
  readonly written?: Uint8Array | undefined;
  /** The file's attributes, too, which are cheaper to have while it is open. */
  readonly xattrs?: boolean | undefined;
}

export interface SegmentReader {
  /** Reads one segment; `vanished` with zeros when the file is gone or no regular file any more. */
  read(root: ByteString, place: SegmentPlace, hashing: Hashing, also?: AlsoRead): ReadSegment;
  /** Opens what will be read next and has the kernel fetch it from storage, all at once: also what it has cached. */
  fetchFromStorage(root: ByteString, places: readonly SegmentPlace[]): void;
  /** Closes the files and directories kept open: after each job. */
  close(): void;
}

export function segmentReader(syscalls: Syscalls): SegmentReader {
  // One byte more: what is read into it shows that a small file has grown.
  const buffer = Buffer.allocUnsafe(segmentBytes + 1);
  const direct = directReader(syscalls);
  const patchedContent = (key: RunKey, bytes: Buffer, from: Patched): Content => {
    const { fd, offset, path, written } = from;
    const readAll = () => readFully(fd, { into: bytes, at: 0, end: bytes.length, offset }, path);
    let bytesRead = readAll();
    if (!direct.readOver(fd, bytes.subarray(0, bytesRead), offset, written)) {
      syscalls.readAnew(fd, offset, bytes.length);
      bytesRead = readAll();
    }
    bytes.fill(0, bytesRead);
    const zeros = new Uint8Array(blockCount(bytes.length));
    noteZeros(zeros, bytes, 0, bytes.length);
    return { bytes, hash: hashSegment(key, bytes), zeros, bytesRead };
  };
  // Successive segments mostly are of one file; keeping it open saves two calls each.
  const open = new Map<ByteString, number | undefined>();
  let volume: WithinVolume | undefined;
  const within = (root: ByteString): WithinVolume => {
    if (volume?.root !== root) close();
    volume ??= withinVolume(root);
    return volume;
  };
  const close = () => {
    for (const fd of open.values()) if (fd !== undefined) closeSync(fd);
    open.clear();
    volume?.[Symbol.dispose]();
    volume = undefined;
  };
  const fileAt = (root: ByteString, path: ByteString): number | undefined => {
    const from = within(root);
    if (open.has(path)) return open.get(path);
    const fd = openContent(from, path, syscalls);
    open.set(path, fd);
    return fd;
  };
  /** For who closes it himself. */
  const takeFile = (root: ByteString, path: ByteString): number | undefined => {
    const from = within(root);
    if (open.size === 0 || !open.has(path)) return openContent(from, path, syscalls);
    const fd = open.get(path);
    open.delete(path);
    return fd;
  };
  return {
    close,
    fetchFromStorage(root, places) {
      for (const place of places) {
        const fd = fileAt(root, place.path);
        const length = segmentLength(place.size, place.segment);
        const offset = place.segment * segmentBytes;
        // Fetching a hole would fill memory with zeros.
        if (fd !== undefined && !isHole(syscalls, fd, place, offset, length)) syscalls.readAnew(fd, offset, length);
      }
    },
    read(root, place, { key, zeroHash }, { written, xattrs: withXattrs = false } = {}) {
      const length = segmentLength(place.size, place.segment);
      const bytes = buffer.subarray(0, length);
      const path = shownPath(root, place.path);
      // A small file is read once: don't hold it.
      const isHeld = place.size > segmentBytes;
      const fd = isHeld ? fileAt(root, place.path) : takeFile(root, place.path);
      if (fd === undefined) return { ...zeroSegment(bytes, zeroHash), bytesRead: 0, warning: 'vanished' };
      try {
        const xattrs = withXattrs ? xattrsOf(syscalls, fd, path) : undefined;
        if (isReadAtOnce(place, written)) return { ...readSmall(key, { fd, path, buffer, length }), xattrs };
        const offset = place.segment * segmentBytes;
        const isEmpty = isHole(syscalls, fd, place, offset, length);
        const { bytesRead, ...blocks } = isEmpty
          ? { ...zeroSegment(bytes, zeroHash), bytesRead: 0 }
          : written === undefined
            ? hashedContent(key, bytes, { fd, offset, path })
            : patchedContent(key, bytes, { fd, offset, path, written });
        const warning = sizeWarning(fd, place, isEmpty ? length : bytesRead, length);
        return { ...blocks, bytesRead, warning, xattrs };
      } finally {
        if (!isHeld) closeSync(fd);
      }
    },
  };
}

/** Undefined when nothing regular is there, or its directory is gone. */
function openContent(volume: WithinVolume, path: ByteString, syscalls: Syscalls): number | undefined {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
    const fd = openWithin(volume, path, { flags }, syscalls);
    const stats = fstatSync(fd);
    if (stats.isFile() || stats.isBlockDevice()) return fd;
    closeSync(fd);
    return undefined;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO') return undefined;
    if (code === 'EACCES') failUnreadable(shownPath(volume.root, path));
    throw error;
  }
}

function isHole(syscalls: Syscalls, fd: number, place: SegmentPlace, offset: number, length: number): boolean {
  if (!place.sparse || place.path === '') return false;
  const data = syscalls.nextData(fd, offset);
  // Beyond the end there is no data either; a shorter file is found by its size.
  return data === undefined ? fstatSync(fd).size >= offset + length : data >= offset + length;
}

/** Holes of so small a file aren't worth a call. */
const isReadAtOnce = ({ path, size, sparse }: SegmentPlace, written: Uint8Array | undefined): boolean =>
  path !== '' && size <= cachedBytes && !sparse && written === undefined;

/** All of a small file in one call, which shows its length as well. */
function readSmall(
  key: RunKey,
  from: { readonly fd: number; readonly path: ByteString; readonly buffer: Buffer; readonly length: number },
): ReadSegment {
  const { fd, path, buffer, length } = from;
  const end = length + 1;
  let got = readOnce(fd, { into: buffer, at: 0, end, offset: 0 }, path);
  if (got < length) got += readFully(fd, { into: buffer, at: got, end, offset: got }, path);
  const bytes = buffer.subarray(0, length);
  const bytesRead = Math.min(got, length);
  if (bytesRead < length) bytes.fill(0, bytesRead);
  const zeros = new Uint8Array(blockCount(length));
  noteZeros(zeros, bytes, 0, length);
  const warning = got === length ? undefined : got < length ? 'shrank' : 'grew';
  return { bytes, hash: hashSegment(key, bytes), zeros, bytesRead, warning };
}

function xattrsOf(syscalls: Syscalls, fd: number, path: ByteString): readonly Xattr[] {
  try {
    return syscalls.listXattrsOf(fd, path);
  } catch (error) {
    return fail('VolumeUnreadable', `Reading metadata failed with ${errnoOf(error) ?? String(error)}`, path);
  }
}

type Content = Pick<ReadSegment, 'bytes' | 'hash' | 'zeros' | 'bytesRead'>;

interface Source {
  readonly fd: number;
  readonly offset: number;
  readonly path: ByteString;
}

type Patched = Source & { readonly written: Uint8Array };

/** Reads a segment and hashes it as it comes; what the file lacks is zeros. */
function hashedContent(key: RunKey, bytes: Buffer, from: Source): Content {
  const zeros = new Uint8Array(blockCount(bytes.length));
  let bytesRead = 0;
  const readChunk = (at: number, end: number) => {
    const isShort = bytesRead < at;
    const got = isShort ? 0 : readFully(from.fd, { into: bytes, at, end, offset: from.offset + at }, from.path);
    bytesRead += got;
    if (at + got < end) bytes.fill(0, at + got, end);
    noteZeros(zeros, bytes, at, end);
  };
  if (bytes.length <= cachedBytes) {
    readChunk(0, bytes.length);
    return { bytes, hash: hashSegment(key, bytes), zeros, bytesRead };
  }
  const sum = segmentSum(key, bytes.length);
  for (let at = 0; at < bytes.length; at += cachedBytes) {
    const end = Math.min(bytes.length, at + cachedBytes);
    readChunk(at, end);
    sum.add(bytes.subarray(at, end));
  }
  return { bytes, hash: sum.finish(), zeros, bytesRead };
}

function zeroSegment(bytes: Buffer, zeroHash: ZeroHashes): Pick<ReadSegment, 'bytes' | 'hash' | 'zeros'> {
  return {
    bytes: bytes.fill(0),
    hash: zeroHash(bytes.length),
    zeros: new Uint8Array(blockCount(bytes.length)).fill(1),
  };
}

interface ReadRange {
  readonly into: Buffer;
  readonly at: number;
  readonly end: number;
  readonly offset: number;
}

function readFully(fd: number, { into, at, end, offset }: ReadRange, path: ByteString): number {
  let done = 0;
  while (at + done < end) {
    const got = readOnce(fd, { into, at: at + done, end, offset: offset + done }, path);
    if (got === 0) return done;
    done += got;
  }
  return done;
}

function readOnce(fd: number, { into, at, end, offset }: ReadRange, path: ByteString): number {
  try {
    return readSync(fd, into, at, end - at, offset);
  } catch (error) {
    return fail('VolumeUnreadable', `Reading failed with ${errnoOf(error) ?? String(error)}`, path);
  }
}

function sizeWarning(fd: number, place: SegmentPlace, bytesRead: number, length: number): ReadSegment['warning'] {
  if (place.path === '') return bytesRead < length ? 'shrank' : undefined;
  const size = fstatSync(fd).size;
  if (size < place.size) return 'shrank';
  return size > place.size ? 'grew' : undefined;
}

/** Most content differs from zero in its first byte, which is looked at without a call. */
function noteZeros(zeros: Uint8Array, bytes: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at += blockBytes)
    if (bytes[at] === 0 && isZero(bytes.subarray(at, Math.min(to, at + blockBytes)))) zeros[at / blockBytes] = 1;
}

const isZero = (content: Buffer): boolean =>
  content.equals(content.length === blockBytes ? zeroBlock : zeroBlock.subarray(0, content.length));
