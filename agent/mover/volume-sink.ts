/**
 * Where a destination puts what it learns: straight into a fresh volume, or into staging as a plan to be applied later.
 * `remove` and `makeDirectory` come as entries arrive; `write`, `create`, `link`, `finish` in walk order as they settle.
 */
import type { Counts } from './contract.ts';
import type { Entry } from './entry.ts';
import type { VolumeSize } from './job.ts';
import type { ByteString } from './syscalls.ts';
import type { BundleContent, VolumeWriter } from './volume-writer.ts';

/** Where a segment's content goes. */
export interface SegmentTarget {
  readonly path: ByteString;
  readonly size: number;
  readonly segment: number;
  /** Whether older content may lie where zeros belong. */
  readonly overwrites: boolean;
  /** The file's metadata, when this segment completes it. */
  readonly finish: Entry | undefined;
}

export interface StoredPart extends SegmentTarget {
  readonly hash: Uint8Array;
  readonly states: Uint8Array;
  readonly rawOffset: number;
  /** Of the sent blocks, when some are `same`. */
  readonly sentTag: Uint8Array | undefined;
  /** Our segment's hash there, when some are `same`. */
  readonly base: Uint8Array | undefined;
}

export interface StoredPack {
  readonly parts: readonly StoredPart[];
  readonly payload: Uint8Array;
  readonly compressed: boolean;
  readonly rawLength: number;
}

/** Which staged record holds a segment's content. */
export interface Placement {
  readonly record: number;
  readonly part: number;
}

export interface VolumeSink {
  remove(path: ByteString): void;
  makeDirectory(path: ByteString): void;
  /** Keeps content after verifying it against its hashes; answers one placement a part, undefined when it is in place already. */
  store(pack: StoredPack): Promise<readonly (Placement | undefined)[]>;
  /** Makes plain entries of a bundle, all but directories, which are there; answers how many blocks came. Throws where nothing comes unasked. */
  fill(bundle: BundleContent): Promise<number>;
  /** Content kept by an earlier attempt. */
  findStored(hash: Uint8Array, base: Uint8Array | undefined): Placement | undefined;
  write(target: SegmentTarget, placement: Placement): void;
  create(entry: Entry): Promise<void>;
  link(entry: Entry): Promise<void>;
  finish(entry: Entry): Promise<void>;
  /** All of the volume has settled. */
  complete(): Promise<void>;
  /** No room: from now on contents are only counted. */
  readonly isCounting: boolean;
  count(payloadBytes: number): void;
  /** Whether every directory's times must be set, as we made changes that the plan doesn't know. */
  readonly touchesDirectories: boolean;
  readonly degraded: Counts;
  /** What was put off into a plan. */
  readonly planned: VolumeSize;
}

/** Writes as it goes. */
export function freshSink(writer: VolumeWriter): VolumeSink {
  return {
    remove: writer.remove,
    makeDirectory: writer.makeDirectory,
    async store({ parts, payload, compressed, rawLength }) {
      await writer.put({ parts, payload, compressed, rawLength });
      return parts.map(() => undefined);
    },
    fill: writer.fill,
    findStored: () => undefined,
    write: () => undefined,
    create: writer.create,
    link: writer.link,
    finish: writer.finish,
    complete: writer.flush,
    isCounting: false,
    count: () => undefined,
    touchesDirectories: true,
    planned: { files: 0, bytes: 0 },
    get degraded() {
      return writer.degraded;
    },
  };
}

/** Writes nothing: for a volume that must already hold all that comes. `differs` throws. */
export function provingSink(differs: () => never): VolumeSink {
  return {
    remove: differs,
    makeDirectory: differs,
    store: async () => differs(),
    fill: async () => differs(),
    findStored: () => undefined,
    write: differs,
    create: async () => differs(),
    link: async () => differs(),
    finish: async () => differs(),
    complete: async () => undefined,
    isCounting: false,
    count: () => undefined,
    touchesDirectories: false,
    planned: { files: 0, bytes: 0 },
    degraded: {},
  };
}
