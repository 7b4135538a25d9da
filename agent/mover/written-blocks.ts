/**
 * Which blocks of files an update wrote, so that the last look reads these from storage and the rest of their files as the kernel
 * shows it, which shows whatever anybody else wrote (docs/design/0005-syncs-that-read-what-changed.md has the proof).
 */
import { blockStates } from './job.ts';
import type { ByteString } from './syscalls.ts';

export interface WrittenBlocks {
  /** Of a segment: a bit a block. Undefined when all of the segment is to come from storage. */
  blocksOf(path: ByteString, segment: number): Uint8Array | undefined;
}

export interface WrittenBlocksRecorder extends WrittenBlocks {
  /** @param states of the segment's blocks: `same` are those that stay as they were */
  add(path: ByteString, segment: number, states: Uint8Array): void;
}

/** About 10 MB. */
const segmentsLimit = 65_536;
const nothingWritten = new Uint8Array(0);

export function recordWrittenBlocks(): WrittenBlocksRecorder {
  const files = new Map<ByteString, Map<number, Uint8Array | 'All'>>();
  let segments = 0;
  return {
    add(path, segment, states) {
      if (++segments > segmentsLimit) return files.clear();
      const file = files.get(path) ?? new Map<number, Uint8Array | 'All'>();
      files.set(path, file);
      const isPart = states.includes(blockStates.same) && !file.has(segment);
      return void file.set(segment, isPart ? bitsOf(states) : 'All');
    },
    blocksOf(path, segment) {
      // Of what this update wrote nothing to it knows nothing.
      const file = files.get(path);
      if (file === undefined || segments > segmentsLimit) return undefined;
      const blocks = file.get(segment) ?? nothingWritten;
      return blocks === 'All' ? undefined : blocks;
    },
  };
}

function bitsOf(states: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(states.length / 8));
  for (const [block, state] of states.entries())
    if (state !== blockStates.same) bits[block >> 3] = (bits[block >> 3] ?? 0) | (1 << (block & 7));
  return bits;
}

/** Neighbouring blocks that were written. @param blocks how many there are */
export function* writtenRuns(
  bits: Uint8Array,
  blocks: number,
): Generator<{ readonly block: number; readonly blocks: number }> {
  const isWritten = (block: number) => ((bits[block >> 3] ?? 0) & (1 << (block & 7))) !== 0;
  for (let block = 0; block < blocks; block++) {
    const first = block;
    while (block < blocks && isWritten(block)) block++;
    if (block > first) yield { block: first, blocks: block - first };
  }
}
