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
  let [newestLow, newestHigh] = [0, 0];
  const pending = byteWriter(flushBytes + 4096);
  const noteChange = (low: number, high: number) => {
    pending.halves(low, high);
    // Together: a call costs more than what it hashes.
    if (pending.length >= flushBytes) sum.update(pending.take());
    if (isBefore(newestLow, newestHigh, low, high)) [newestLow, newestHigh] = [low, high];
  };
  return {
    add({ entry, inode, changedNs }) {
      pending.text(entry.path);
      pending.halves(lowOf(inode), highOf(inode));
      noteChange(lowOf(changedNs), highOf(changedNs));
    },
    addSeen({ path, stat }) {
      pending.text(path);
      pending.halves(stat.inodeLow, stat.inodeHigh);
      noteChange(stat.changedLow, stat.changedHigh);
    },
    finish() {
      sum.update(pending.take());
      return { fingerprint: sum.digest('hex'), newestChangeNs: int64Of(newestLow, newestHigh) };
    },
  };
}

/** Between turns of others. */
export const entriesAtOnce = 1024;

/** On the thread that has just walked the volume, and is quick at it by now; others have their turn meanwhile. */
export async function surveyTree(
  root: ByteString,
  { syscalls, signal }: { readonly syscalls: Pick<Syscalls, 'lookAt'>; readonly signal: AbortSignal },
): Promise<Survey> {
  const surveyor = createSurveyor();
  const walk = openWalk(root, syscalls, { vanished: 0 });
  try {
    for (let met = 1; walk.next(); met++) {
      surveyor.addSeen(walk);
      if (met % entriesAtOnce === 0) await othersTurn(signal);
    }
    return surveyor.finish();
  } finally {
    walk.close();
  }
}

/** Between steps of long work on a main thread. */
export async function othersTurn(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}
