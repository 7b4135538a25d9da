/** What the destination keeps of an item between its arrival and its settling. */

import { tagBytes } from './content-hash.ts';
import type { Entry } from './entry.ts';
import { blockStates } from './job.ts';
import { blockCount, segmentBytes, segmentLength } from './layout.ts';
import type { Want } from './message.ts';
import type { ByteString } from './syscalls.ts';
import type { RecordRun } from './tree-record.ts';
import type { Placement, SegmentTarget } from './volume-sink.ts';

export interface IncomingFile {
  readonly entry: Entry;
  /** Our file of this name, when it can be changed in place. */
  readonly own: Entry | undefined;
  readonly segments: number;
  arrived: number;
  wrote: boolean;
}

export interface IncomingSegment {
  readonly is: 'segment';
  readonly file: IncomingFile;
  readonly segment: number;
  /** What it will contain; the sender may correct it when it sends a file that changed. */
  hash: Uint8Array;
  /** Our segment's hash at the same place. */
  readonly base: Buffer | undefined;
  /** `asking`: its content is expected from the sender. */
  state: 'working' | 'asking' | 'done';
  /** Our blocks' tags at the same place, when the sender was told them. */
  own: Uint8Array | undefined;
  /** How many of our blocks there the sender knows: those it may leave out. */
  ownBlocks: number;
  placement: Placement | undefined;
}

export interface IncomingEntry {
  readonly is: 'entry';
  readonly entry: Entry;
  /** Our entry of the same name and type. */
  readonly own: Entry | undefined;
}

/** Entries of ours that are as the sender has them, as our index has them. */
export interface SameEntries {
  readonly run: RecordRun;
  /** Those of them that are directories, in their order. */
  readonly directories: readonly Entry[];
}

export interface IncomingRun extends SameEntries {
  readonly is: 'same';
}

/** Plain entries that are new to us. */
export interface IncomingBundle {
  readonly is: 'bundle';
  readonly run: RecordRun;
  /** Of the first. */
  readonly path: ByteString;
  /** Those of them that are directories, in their order. */
  readonly directories: readonly Entry[];
  /** Whether all but directories is made. */
  state: 'working' | 'done';
}

export type IncomingItem = IncomingEntry | IncomingSegment | IncomingRun | IncomingBundle;

export const lengthOf = ({ file, segment }: IncomingSegment): number => segmentLength(file.entry.size, segment);

/** How many blocks our file has in this segment, when it can be changed in place. */
export function ownBlocksOf({ file, segment, base }: IncomingSegment): number {
  return file.own === undefined || base === undefined ? 0 : blockCount(segmentLength(file.own.size, segment));
}

export function targetOf({ file, segment }: IncomingSegment): SegmentTarget {
  const { entry, own, segments } = file;
  const isFile = entry.type === 'file';
  return {
    path: entry.path,
    size: entry.size,
    segment,
    overwrites: !isFile || (own !== undefined && own.size > segment * segmentBytes),
    finish: isFile && segments === 1 ? entry : undefined,
  };
}

/** States of a segment of nothing but zeros. */
export const zeroStates = (item: IncomingSegment): Uint8Array =>
  new Uint8Array(blockCount(lengthOf(item))).fill(blockStates.zero);

export function wantOf(item: number, segment: IncomingSegment, countOnly: boolean): Want {
  const { own } = segment;
  if (own === undefined) return { item, own: undefined, countOnly };
  return { item, own: own.subarray(0, blockCount(lengthOf(segment)) * tagBytes), countOnly };
}
