/**
 * Reads segments of files that may change under us, and hashes their blocks. Never follows a symlink, never opens anything but
 * a regular file or the block device itself, never relies on a file offset. A file that became shorter reads as zeros there;
 * whatever differs from what the walk saw is counted by kind.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { SegmentPlace } from './job.ts';
import { blockBytes, hashBytes, hashZeroBlock, segmentBytes, segmentLength, sha256, zeroBlock } from './layout.ts';
import { errnoOf, fail, failUnreadable } from './mover-error.ts';
import type { ByteString, Syscalls } from './syscalls.ts';

export interface ReadSegment {
  /** A view into the reader's buffer; valid until the next read. */
  readonly bytes: Buffer;
  /** 32 bytes a block. */
  readonly hashes: Buffer;
  /** 1 for each block of zeros. */
  readonly zeros: Uint8Array;
  readonly bytesRead: number;
  readonly warning: 'vanished' | 'shrank' | 'grew' | undefined;
}

export interface SegmentReader {
  /** Reads one segment; `vanished` with zeros when the file is gone or no regular file any more. */
  read(root: ByteString, place: SegmentPlace, from?: 'Cache' | 'Storage'): ReadSegment;
  /** Closes the file kept open from the last read. */
  close(): void;
}

export function segmentReader(syscalls: Syscalls): SegmentReader {
  const buffer = Buffer.allocUnsafe(segmentBytes);
  // Successive segments mostly are of one file; keeping it open saves two calls each.
  let open: { readonly path: ByteString; readonly fd: number } | undefined;
  const close = () => {
    if (open === undefined) return;
    closeSync(open.fd);
    open = undefined;
  };
  const fileAt = (path: ByteString): number | undefined => {
    if (open?.path === path) return open.fd;
    close();
    const fd = openContent(path);
    if (fd !== undefined) open = { path, fd };
    return fd;
  };
  return {
    close,
    read(root, place, from = 'Cache') {
      const length = segmentLength(place.size, place.segment);
      const bytes = buffer.subarray(0, length);
      const path = place.path === '' ? root : `${root}/${place.path}`;
      const isReopened = open?.path !== path;
      const fd = fileAt(path);
      if (fd === undefined) return { ...hashedBlocks(bytes.fill(0)), bytesRead: 0, warning: 'vanished' };
      if (from === 'Storage' && isReopened) syscalls.dropCache(fd);
      const offset = place.segment * segmentBytes;
      const bytesRead = isHole(syscalls, fd, place, offset, length) ? 0 : readFully(fd, bytes, offset, path);
      bytes.fill(0, bytesRead);
      const warning = sizeWarning(fd, place, bytesRead, length);
      // A small file is read once: don't hold it.
      if (place.size <= segmentBytes) close();
      return { ...hashedBlocks(bytes), bytesRead, warning };
    },
  };
}

function openContent(path: ByteString): number | undefined {
  try {
    const fd = openSync(
      Buffer.from(path, 'latin1'),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
    const stats = fstatSync(fd);
    if (stats.isFile() || stats.isBlockDevice()) return fd;
    closeSync(fd);
    return undefined;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO') return undefined;
    if (code === 'EACCES') failUnreadable(path);
    throw error;
  }
}

function isHole(syscalls: Syscalls, fd: number, place: SegmentPlace, offset: number, length: number): boolean {
  if (!place.sparse || place.path === '') return false;
  const data = syscalls.nextData(fd, offset);
  // Beyond the end there is no data either; a shorter file is found by its size.
  return data === undefined ? fstatSync(fd).size >= offset + length : data >= offset + length;
}

function readFully(fd: number, into: Buffer, offset: number, path: ByteString): number {
  let done = 0;
  while (done < into.length) {
    const got = readOnce(fd, into, done, offset + done, path);
    if (got === 0) return done;
    done += got;
  }
  return done;
}

function readOnce(fd: number, into: Buffer, at: number, offset: number, path: ByteString): number {
  try {
    return readSync(fd, into, at, into.length - at, offset);
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

function hashedBlocks(bytes: Buffer): Pick<ReadSegment, 'bytes' | 'hashes' | 'zeros'> {
  const blocks = Math.ceil(bytes.length / blockBytes);
  const hashes = Buffer.allocUnsafe(blocks * hashBytes);
  const zeros = new Uint8Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const content = bytes.subarray(block * blockBytes, (block + 1) * blockBytes);
    const isZero = content.equals(content.length === blockBytes ? zeroBlock : zeroBlock.subarray(0, content.length));
    if (isZero) zeros[block] = 1;
    hashes.set(isZero ? hashZeroBlock(content.length) : sha256(content), block * hashBytes);
  }
  return { bytes, hashes, zeros };
}
