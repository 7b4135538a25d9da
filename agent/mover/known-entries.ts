/**
 * What this very process read of a volume, for its last look at it: an entry whose inode and change time are still those of the
 * scan holds what the scan read from storage, as the kernel stamps a change time on whatever is written and nobody can set it
 * back. What the update wrote, and whatever else was written, is read again. Only for the process that scanned.
 */
import { comparePaths, type Entry, hasContent } from './entry.ts';
import { segmentCount } from './layout.ts';
import { openIndex } from './own-index.ts';
import type { FoundEntry } from './walk.ts';

/** Where a scan of this process left what it read. */
export interface ScanMemory {
  /** An own index. */
  readonly file: string;
  /** What had changed later is read again: a second change within the same tick of the clock would not be seen. */
  readonly settledNs: bigint;
}

export interface KnownEntry {
  readonly entry: Entry;
  /** Hashes of its segments. */
  readonly segments: readonly Buffer[];
}

export interface KnownEntries {
  /** What was read of an entry that still is as it was then; to be asked in walk order. */
  match(found: FoundEntry): KnownEntry | undefined;
  close(): void;
}

/** Longer files are read again: their hashes would fill memory. */
const segmentLimit = 1024;
/** Far more than a tick of any file system's clock. */
const settlingMs = 2_000;

/** @param now when the scan begins */
export const rememberScan = (file: string, now: Date): ScanMemory => ({
  file,
  settledNs: BigInt(now.getTime() - settlingMs) * 1_000_000n,
});

export function openKnownEntries({ file, settledNs }: ScanMemory): KnownEntries {
  const index = openIndex(file);
  let ahead = index.next();
  const step = (): (KnownEntry & Changed) | undefined => {
    while (ahead?.is === 'segment') ahead = index.next();
    if (ahead === undefined) return undefined;
    const { entry, inode, changedNs } = ahead;
    const segments: Buffer[] = [];
    for (ahead = index.next(); ahead?.is === 'segment'; ahead = index.next())
      if (segments.length < segmentLimit) segments.push(ahead.hash);
    return { entry, inode, changedNs, segments };
  };
  let mine = step();
  return {
    match(found) {
      while (mine !== undefined && comparePaths(mine.entry.path, found.entry.path) < 0) mine = step();
      if (mine === undefined || !isAsThen(mine, found) || mine.changedNs >= settledNs) return undefined;
      return mine;
    },
    close: index.close,
  };
}

interface Changed {
  readonly inode: bigint;
  readonly changedNs: bigint;
}

function isAsThen(mine: KnownEntry & Changed, found: FoundEntry): boolean {
  const [then, now] = [mine.entry, found.entry];
  return (
    mine.inode === BigInt.asIntN(64, found.inode) &&
    mine.changedNs === found.changedNs &&
    then.path === now.path &&
    then.type === now.type &&
    then.mode === now.mode &&
    then.uid === now.uid &&
    then.gid === now.gid &&
    then.mtimeNs === now.mtimeNs &&
    then.size === now.size &&
    then.rdev === now.rdev &&
    (then.type !== 'hardlink' || then.target === now.target) &&
    mine.segments.length === (hasContent(then) ? segmentCount(then.size) : 0)
  );
}
