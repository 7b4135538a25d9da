/**
 * Whether anybody wrote to a tree, without reading contents: names, inodes and change times. The kernel stamps a change time on
 * whatever is written, and nobody can set it back.
 */
import { createHash } from 'node:crypto';
import { byteWriter } from './byte-codec.ts';
import { highOf, int64Of, isBefore, lowOf } from './raw-stat.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import { type FoundEntry, openWalk, type Walk } from './walk.ts';

export interface Survey {
  /** Of all entries in walk order. */
  readonly fingerprint: string;
  readonly newestChangeNs: bigint;
}

export interface Surveyor {
  add(found: FoundEntry): void;
  /** The same of what a walk stands at. */
  addSeen(walk: Walk): void;
  finish(): Survey;
}

const flushBytes = 32 * 1024;

export function createSurveyor(): Surveyor {
  const sum = createHash('sha256');
  let newest = { low: 0, high: 0 };
  const pending = byteWriter(flushBytes + 4096);
  const note = (path: ByteString, inode: Halves, changed: Halves) => {
    // Together: a call costs more than what it hashes.
    pending.text(path);
    pending.halves(inode.low, inode.high);
    pending.halves(changed.low, changed.high);
    if (pending.length >= flushBytes) sum.update(pending.take());
    if (isBefore(newest.low, newest.high, changed.low, changed.high)) newest = changed;
  };
  return {
    add: ({ entry, inode, changedNs }) => note(entry.path, halvesOf(inode), halvesOf(changedNs)),
    addSeen({ path, stat }) {
      const inode = { low: stat.inodeLow, high: stat.inodeHigh };
      note(path, inode, { low: stat.changedLow, high: stat.changedHigh });
    },
    finish() {
      sum.update(pending.take());
      return { fingerprint: sum.digest('hex'), newestChangeNs: int64Of(newest.low, newest.high) };
    },
  };
}

interface Halves {
  readonly low: number;
  readonly high: number;
}

const halvesOf = (value: bigint): Halves => ({ low: lowOf(value), high: highOf(value) });

export function surveyTree(root: ByteString, syscalls: Pick<Syscalls, 'lookAt'>): Survey {
  const surveyor = createSurveyor();
  const walk = openWalk(root, syscalls, { vanished: 0 });
  try {
    while (walk.next()) surveyor.addSeen(walk);
    return surveyor.finish();
  } finally {
    walk.close();
  }
}
