/**
 * Whether anybody wrote to a tree, without reading contents: names, inodes and change times. The kernel stamps a change time on
 * whatever is written, and nobody can set it back.
 */
import { createHash } from 'node:crypto';
import type { ByteString } from './syscalls.ts';
import { type FoundEntry, walkTree } from './walk.ts';

export interface Survey {
  /** Of all entries in walk order. */
  readonly fingerprint: string;
  readonly newestChangeNs: bigint;
}

export interface Surveyor {
  add(found: FoundEntry): void;
  finish(): Survey;
}

const flushLength = 32 * 1024;

export function createSurveyor(): Surveyor {
  const sum = createHash('sha256');
  let newestChangeNs = 0n;
  let pending = '';
  const flush = () => {
    sum.update(pending, 'latin1');
    pending = '';
  };
  return {
    add({ entry, inode, changedNs }) {
      // Together: a call costs more than what it hashes.
      pending += `${entry.path}\0${inode}\0${changedNs}\n`;
      if (pending.length >= flushLength) flush();
      if (changedNs > newestChangeNs) newestChangeNs = changedNs;
    },
    finish() {
      flush();
      return { fingerprint: sum.digest('hex'), newestChangeNs };
    },
  };
}

export function surveyTree(root: ByteString): Survey {
  const surveyor = createSurveyor();
  for (const found of walkTree(root, { vanished: 0 })) surveyor.add(found);
  return surveyor.finish();
}
