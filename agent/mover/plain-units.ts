/**
 * Plain entries (files of one segment, directories, symlinks; of one name) on their way to a worker that makes records of them: what
 * lstat showed of each, as columns. Most volumes are nearly nothing but these, and objects of each would cost more than the kernel does.
 */
import { packLimitBytes } from './pack-codec.ts';
import { fileTypes, hasHoles, type RawStat } from './raw-stat.ts';
import type { ByteString } from './syscalls.ts';
import { plainType } from './tree-record.ts';
import type { Walk } from './walk.ts';

export interface PlainUnits {
  readonly paths: readonly ByteString[];
  /** `statWords` numbers of each. */
  readonly stats: Int32Array;
  readonly sizes: Float64Array;
}

/** Where a number is among those of an entry. */
export const statAt = {
  /** Index into `entryTypes`; with `sparseFlag` when it has holes. */
  type: 0,
  mode: 1,
  uid: 2,
  gid: 3,
  mtimeLow: 4,
  mtimeHigh: 5,
  inodeLow: 6,
  inodeHigh: 7,
  changedLow: 8,
  changedHigh: 9,
} as const;
export const statWords = 10;
export const sparseFlag = 16;

/** What a worker is asked for at once. */
const unitsPerJob = 256;

export interface PlainGatherer {
  readonly isEmpty: boolean;
  /** Whether what the walk stands at is for the next ones. */
  isFullFor(stat: RawStat): boolean;
  add(walk: Walk): void;
  take(): PlainUnits;
}

/** Whether the entry that a walk stands at is plain. */
export const isPlain = (stat: RawStat): boolean => plainType(stat) !== undefined;

export function gatherPlain(): PlainGatherer {
  let paths: ByteString[] = [];
  const stats = new Int32Array(unitsPerJob * statWords);
  const sizes = new Float64Array(unitsPerJob);
  let bytes = 0;
  return {
    get isEmpty() {
      return paths.length === 0;
    },
    isFullFor: (stat) =>
      paths.length >= unitsPerJob || (paths.length > 0 && bytes + contentBytes(stat) > packLimitBytes),
    add({ path, stat }) {
      const at = paths.length * statWords;
      stats[at + statAt.type] = (plainType(stat) ?? 0) | (hasHoles(stat) ? sparseFlag : 0);
      stats[at + statAt.mode] = stat.mode & 0o7777;
      stats[at + statAt.uid] = stat.uid;
      stats[at + statAt.gid] = stat.gid;
      stats[at + statAt.mtimeLow] = stat.mtimeLow;
      stats[at + statAt.mtimeHigh] = stat.mtimeHigh;
      stats[at + statAt.inodeLow] = stat.inodeLow;
      stats[at + statAt.inodeHigh] = stat.inodeHigh;
      stats[at + statAt.changedLow] = stat.changedLow;
      stats[at + statAt.changedHigh] = stat.changedHigh;
      const length = contentBytes(stat);
      sizes[paths.length] = length;
      bytes += length;
      paths.push(path);
    },
    take() {
      const taken = { paths, stats: stats.slice(0, paths.length * statWords), sizes: sizes.slice(0, paths.length) };
      paths = [];
      bytes = 0;
      return taken;
    },
  };
}

/** Of a plain entry. */
export const contentBytes = ({ mode, sizeBytes }: RawStat): number =>
  (mode & fileTypes.mask) === fileTypes.file ? sizeBytes : 0;
