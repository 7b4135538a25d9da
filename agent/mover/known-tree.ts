/**
 * What an earlier scan of the same tree found, walked beside a new walk: of an entry whose stat is as it was then, nothing needs to
 * be read. The kernel stamps a change time on whatever is written, and nobody can set it back; where a change could have gone
 * unnoticed (within the guard before the scan) the entry was marked as not settled, and is read again.
 */
import { comparePaths, type Entry, hasContent } from './entry.ts';
import { highOf, lowOf } from './raw-stat.ts';
import type { ByteString } from './syscalls.ts';
import { openTreeCursor, type TreeRecord, type TreeSegment } from './tree-file.ts';
import { emptyFields, isSameRecord, type RecordRun, runBuilder } from './tree-record.ts';
import type { TreeSummary } from './tree-summary.ts';
import type { FoundEntry, Walk } from './walk.ts';

export interface KnownTree {
  /** Asked for each entry of a walk, in walk order. `Same`: with attributes and target; its segments follow. */
  meet(found: FoundEntry): Meeting;
  /** The next segment of the file met last, as it was. */
  nextSegment(): TreeSegment | undefined;
  /**
   * Instead of `meet`: takes what the walk stands at into the run, with its segment, when it is the very next that is known and a plain
   * one. False says nothing: then it is for `meet`.
   */
  extendRun(walk: Walk): boolean;
  /** How many records the run has. */
  readonly runRecords: number;
  /** The run, and begins another; undefined when nothing is in it. */
  takeRun(): KnownRun | undefined;
  /** Whether every entry met so far was known and the same, and none was left out; at the end of a walk: none is left. */
  isSame(walk: 'GoesOn' | 'Ended'): boolean;
  close(): void;
}

export type Meeting =
  /** `order`: the one right after the last that was `Same`, or others lay between. */
  | {
      readonly is: 'Same';
      readonly entry: Entry;
      readonly order: 'Next' | 'Later';
      readonly encoded: Uint8Array | undefined;
    }
  /** A file that may hold much of what it held. */
  | { readonly is: 'Changed' }
  | { readonly is: 'New' };

/** Entries that follow each other and are as they were. */
export interface KnownRun extends RecordRun {
  /** Of the first, and whether it is right after the last that was the same before it. */
  readonly path: ByteString;
  readonly order: 'Next' | 'Later';
}

/** What a scan of this very process left: for its last look at a volume. */
export interface ScanMemory {
  /** Whether all of it was read then, or some of it is known from an earlier sync. */
  readonly basis: 'Read' | 'Known';
  /** A tree file. */
  readonly file: string;
  readonly root: TreeSummary['root'];
  /** What had changed later is read again: a second change within the same tick of the clock would not be seen. */
  readonly settledNs: bigint;
}

/** Far more than a tick of any file system's clock. */
const settlingMs = 2_000;

/** For a scan that begins now. */
export const settledBefore = (now: Date, guardMs = settlingMs): bigint => BigInt(now.getTime() - guardMs) * 1_000_000n;

const unknown: Meeting = { is: 'New' };
const changed: Meeting = { is: 'Changed' };

export function openKnownTree({
  file,
  root,
  settledNs,
}: Pick<ScanMemory, 'file' | 'root'> & { readonly settledNs?: bigint }): KnownTree {
  const cursor = openTreeCursor(file);
  let next: TreeRecord | undefined;
  let isSame = true;
  let hasSegments = false;
  let ended = false;
  const step = () => {
    const taken = next;
    next = undefined;
    return taken;
  };
  // The record after the one that was met is read only when it is asked for: its segments come first.
  const peek = (): TreeRecord | undefined => {
    if (next === undefined && !ended) {
      next = asSeenLast(cursor.nextEntry(), root);
      ended = next === undefined;
    }
    return next;
  };
  let order: 'Next' | 'Later' = 'Later';
  const skipTo = (path: ByteString): TreeRecord | undefined => {
    for (let record = peek(); record !== undefined; record = peek()) {
      const compared = record.found.entry.path === path ? 0 : comparePaths(record.found.entry.path, path);
      if (compared > 0) return undefined;
      step();
      if (compared === 0) return record;
      order = 'Later';
      isSame = false;
    }
    return undefined;
  };
  const fields = emptyFields();
  const settled = settledNs === undefined ? undefined : { low: lowOf(settledNs), high: highOf(settledNs) };
  const run = runBuilder();
  let runStart: Pick<KnownRun, 'path' | 'order'> | undefined;
  const isSettled = (record: TreeRecord) =>
    record.settled && (settledNs === undefined || record.found.changedNs < settledNs);
  return {
    meet(found) {
      const record = skipTo(found.entry.path);
      hasSegments = false;
      if (record === undefined) {
        isSame = false;
        order = 'Later';
        return unknown;
      }
      if (isSettled(record) && isSameStat(record.found, found)) {
        hasSegments = true;
        const { found: then, encoded } = record;
        const met = { is: 'Same', entry: then.entry, order, encoded } as const;
        order = 'Next';
        return met;
      }
      order = 'Later';
      isSame = false;
      hasSegments = record.found.entry.type === found.entry.type && hasContent(found.entry);
      return hasSegments ? changed : unknown;
    },
    extendRun(walk) {
      const record = next === undefined ? cursor.peek() : undefined;
      if (record === undefined || !isSameRecord(record, fields, walk, settled)) return false;
      runStart ??= { path: walk.path, order };
      order = 'Next';
      hasSegments = false;
      cursor.takeRecords(run, fields.values.size);
      return true;
    },
    get runRecords() {
      return run.records;
    },
    takeRun() {
      const [start, taken] = [runStart, run.take()];
      runStart = undefined;
      return start === undefined || taken === undefined ? undefined : { ...start, ...taken };
    },
    nextSegment: () => (hasSegments ? cursor.nextSegment() : undefined),
    isSame: (walk) => isSame && (walk === 'GoesOn' || peek() === undefined),
    close: () => cursor.close(),
  };
}

function asSeenLast(record: TreeRecord | undefined, root: TreeSummary['root']): TreeRecord | undefined {
  if (record === undefined || root === null || record.found.entry.path !== '') return record;
  const seen = { inode: BigInt.asIntN(64, BigInt(root.inode)), changedNs: BigInt(root.changedNs) };
  return { settled: record.settled, found: { ...record.found, ...seen } };
}

/** All that lstat shows and that does not change by reading, or when allocated space changes beneath the same content. */
export function isSameStat(left: FoundEntry, right: FoundEntry): boolean {
  const [a, b] = [left.entry, right.entry];
  return (
    left.changedNs === right.changedNs &&
    BigInt.asIntN(64, left.inode) === BigInt.asIntN(64, right.inode) &&
    a.path === b.path &&
    a.mtimeNs === b.mtimeNs &&
    a.size === b.size &&
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.rdev === b.rdev &&
    // A symlink's text is read only later.
    (a.type === 'symlink' || a.target === b.target)
  );
}
