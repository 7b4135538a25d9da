/**
 * Whether anybody wrote to a tree, without reading contents: names, inodes and change times. The kernel stamps a change time on
 * whatever is written, and nobody can set it back.
 */
import { createHash } from 'node:crypto';
import { byteWriter } from './byte-codec.ts';
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

const flushBytes = 32 * 1024;

export function createSurveyor(): Surveyor {
  const sum = createHash('sha256');
  let newestChangeNs = 0n;
  const pending = byteWriter(flushBytes + 4096);
  return {
    add({ entry, inode, changedNs }) {
      // Together: a call costs more than what it hashes.
      pending.text(entry.path);
      pending.int64(inode);
      pending.int64(changedNs);
      if (pending.length >= flushBytes) sum.update(pending.take());
      if (changedNs > newestChangeNs) newestChangeNs = changedNs;
    },
    finish() {
      sum.update(pending.take());
      return { fingerprint: sum.digest('hex'), newestChangeNs };
    },
  };
}

export function surveyTree(root: ByteString): Survey {
  const surveyor = createSurveyor();
  for (const found of walkTree(root, { vanished: 0 })) surveyor.add(found);
  return surveyor.finish();
}
