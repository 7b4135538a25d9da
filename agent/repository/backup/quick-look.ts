/**
 * What the kernel says of a file, to be compared with the text of a node: without the numbers of 64 bits that node:fs makes of each,
 * which take longer than to ask the kernel.
 */
import { statxAt as at, fileTypes, statxNeeded } from '../../mover/raw-stat.ts';
import type { ByteString, LookAt } from '../../mover/syscalls.ts';

export interface QuickLook {
  /** False when it is no regular file, or the kernel does not tell enough; then nothing below is of it. */
  look(directory: number, name: ByteString): boolean;
  readonly size: number;
  /** Not exact from 2^53 on. */
  readonly inode: number;
  /** Both until the next look. */
  readonly mtime: QuickTime;
  readonly ctime: QuickTime;
  /** Whether both times are before `trustBefore`. */
  readonly isTrusted: boolean;
}

/** As `formatTime` writes it. */
export interface QuickTime {
  readonly upToSeconds: string;
  readonly ns: number;
}

const billion = 1_000_000_000n;
const wordValues = 2 ** 32;
/** What has four digits of a year. */
const [earliestS, latestS] = [Date.parse('0001-01-01T00:00:00Z') / 1000, Date.UTC(9999, 11, 31, 23, 59, 59) / 1000];

/** @param trustBefore in ns since 1970 */
export function quickLook({ call, words }: LookAt, trustBefore: bigint): QuickLook {
  const trustedS = Number(trustBefore / billion);
  const trustedNs = Number(trustBefore % billion);
  const word = (place: number): number => (words[place] ?? 0) >>> 0;
  const wide = (place: number): number => (words[place + 1] ?? 0) * wordValues + word(place);
  const isBefore = (place: number): boolean => {
    const seconds = wide(place);
    return seconds < trustedS || (seconds === trustedS && word(place + 2) < trustedNs);
  };
  const [mtime, ctime] = [new Time(), new Time()];
  const isTold = (time: Time, place: number): boolean => time.set(wide(place), word(place + 2));
  return {
    look(directory, name) {
      if (!call(directory, name)) return false;
      if ((word(at.mask) & statxNeeded) !== statxNeeded || (word(at.mode) & fileTypes.mask) !== fileTypes.file)
        return false;
      return isTold(mtime, at.mtime) && isTold(ctime, at.ctime);
    },
    get size() {
      return wide(at.size);
    },
    get inode() {
      return word(at.inode + 1) * wordValues + word(at.inode);
    },
    mtime,
    ctime,
    get isTrusted() {
      return isBefore(at.mtime) && isBefore(at.ctime);
    },
  };
}

class Time implements QuickTime {
  upToSeconds = '1970-01-01T00:00:00';
  ns = 0;
  /** Files beside each other often changed in the same second. */
  #seconds = 0;

  /** False when there is no such text. */
  set(seconds: number, ns: number): boolean {
    if (seconds < earliestS || seconds > latestS) return false;
    if (seconds !== this.#seconds) this.upToSeconds = new Date(seconds * 1000).toISOString().slice(0, 19);
    this.#seconds = seconds;
    this.ns = ns;
    return true;
  }
}
