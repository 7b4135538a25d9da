/**
 * What lstat shows of an entry, as plain numbers in an object that is used again: a walk looks at millions of entries, and to make
 * 64-bit numbers of each costs more than to ask the kernel. Those are in two halves of 32 bits, as they lie in a tree file.
 */
import { type BigIntStats, lstatSync } from 'node:fs';
import type { ByteString, LookAt } from './syscalls.ts';

export interface RawStat {
  /** With the bits of the type. */
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  /** Of 512 bytes. */
  blocks: number;
  inodeLow: number;
  inodeHigh: number;
  /** ctime in ns since 1970, as all halves signed. */
  changedLow: number;
  changedHigh: number;
  mtimeLow: number;
  mtimeHigh: number;
  /** Of the file system, as text. */
  device: string;
  /** Of device files. */
  rdev: bigint;
}

export const fileTypes = {
  mask: 0o170000,
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  fifo: 0o010000,
  socket: 0o140000,
  character: 0o020000,
  block: 0o060000,
} as const;

export const emptyStat = (): RawStat => ({
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  blocks: 0,
  inodeLow: 0,
  inodeHigh: 0,
  changedLow: 0,
  changedHigh: 0,
  mtimeLow: 0,
  mtimeHigh: 0,
  device: '',
  rdev: 0n,
});

export const isDirectory = ({ mode }: RawStat): boolean => (mode & fileTypes.mask) === fileTypes.directory;

/** Fewer bytes allocated than its size: has holes. */
export const hasHoles = ({ blocks, sizeBytes }: RawStat): boolean => blocks * 512 < sizeBytes;

/** Both halves as one signed number of 64 bits. */
export const int64Of = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

export const lowOf = (value: bigint): number => Number(BigInt.asIntN(32, value));
export const highOf = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

/** Whether the first, in ns since 1970, is before the second. */
export const isBefore = (low: number, high: number, otherLow: number, otherHigh: number): boolean =>
  high < otherHigh || (high === otherHigh && low >>> 0 < otherLow >>> 0);

/** By its path; throws what the kernel refuses. */
export function statPath(path: ByteString, into: RawStat): void {
  fromStats(lstatSync(Buffer.from(path, 'latin1'), { bigint: true }), into);
}

function fromStats(stats: BigIntStats, into: RawStat): void {
  into.mode = Number(stats.mode);
  into.nlink = Number(stats.nlink);
  into.uid = Number(stats.uid);
  into.gid = Number(stats.gid);
  into.sizeBytes = Number(stats.size);
  into.blocks = Number(stats.blocks);
  into.inodeLow = lowOf(stats.ino);
  into.inodeHigh = highOf(stats.ino);
  into.changedLow = lowOf(stats.ctimeNs);
  into.changedHigh = highOf(stats.ctimeNs);
  into.mtimeLow = lowOf(stats.mtimeNs);
  into.mtimeHigh = highOf(stats.mtimeNs);
  into.device = `${stats.dev}`;
  into.rdev = stats.rdev;
}

/** Places in the kernel's struct statx, which is the same on all machines, in words of 32 bits. */
export const statxAt = {
  mask: 0,
  nlink: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inode: 8,
  size: 10,
  blocks: 12,
  ctime: 24,
  mtime: 28,
} as const;

/** What must be there, all basic stats but the time of the last access: what a file system lacks it doesn't say. */
export const statxNeeded = 0x7df;

/**
 * By its name in an open directory, with one call and nothing allocated. False when that can't be, or when it is what needs more than
 * these numbers (hard links, device files): {@link statPath} then says.
 */
export function statName(look: LookAt, directory: number, name: ByteString, into: RawStat): boolean {
  if (!look.call(directory, name)) return false;
  const { words } = look;
  if ((word(words, statxAt.mask) & statxNeeded) !== statxNeeded) return false;
  const mode = word(words, statxAt.mode) & 0xffff;
  const type = mode & fileTypes.mask;
  const nlink = word(words, statxAt.nlink) >>> 0;
  const isPlain =
    type === fileTypes.directory || (nlink === 1 && (type === fileTypes.file || type === fileTypes.symlink));
  if (!isPlain) return false;
  into.mode = mode;
  into.nlink = nlink;
  into.uid = word(words, statxAt.uid) >>> 0;
  into.gid = word(words, statxAt.gid) >>> 0;
  into.sizeBytes = number64(words, statxAt.size);
  into.blocks = number64(words, statxAt.blocks);
  into.inodeLow = word(words, statxAt.inode);
  into.inodeHigh = word(words, statxAt.inode + 1);
  into.changedLow = nsLow(words, statxAt.ctime);
  into.changedHigh = nsHigh(words, statxAt.ctime);
  into.mtimeLow = nsLow(words, statxAt.mtime);
  into.mtimeHigh = nsHigh(words, statxAt.mtime);
  return true;
}

const word = (words: Int32Array, place: number): number => words[place] ?? 0;
const number64 = (words: Int32Array, place: number): number =>
  (word(words, place) >>> 0) + (word(words, place + 1) >>> 0) * 2 ** 32;

const billion = 1_000_000_000;

// A timespec (seconds in two words, then ns) as ns, modulo 2^64: each product of 16 by 30 bits is exact in a double.
const upper = (words: Int32Array, place: number): number => (word(words, place) >>> 16) * billion;
const lower = (words: Int32Array, place: number): number =>
  (word(words, place) & 0xffff) * billion + (word(words, place + 2) >>> 0);
const lowSum = (words: Int32Array, place: number): number =>
  (upper(words, place) % 2 ** 16) * 2 ** 16 + (lower(words, place) % 2 ** 32);
const nsLow = (words: Int32Array, place: number): number => lowSum(words, place) | 0;
const nsHigh = (words: Int32Array, place: number): number => {
  const carried = Math.floor(lowSum(words, place) / 2 ** 32);
  const product = Math.floor(upper(words, place) / 2 ** 16) + Math.floor(lower(words, place) / 2 ** 32) + carried;
  return (product + Math.imul(word(words, place + 1), billion)) | 0;
};
