/** Carries out one job; runs in a worker thread. Synchronous on purpose: node's async fs costs seven times the CPU on many files. */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { blockTags, blockTagsIn, hashBytes, type RunKey, segmentTags, zeroSegmentHashes } from './content-hash.ts';
import { fillRecords } from './fill-job.ts';
import type {
  Answers,
  Job,
  MeasureJob,
  PackJob,
  ScanAnswer,
  ScanJob,
  SegmentBase,
  SyncAnswer,
  SyncJob,
  VolumeSize,
} from './job.ts';
import { taggedBytes } from './layout.ts';
import { packer, packLimitBytes } from './pack-codec.ts';
import { contentBytes, isPlain } from './plain-units.ts';
import { putPack } from './put-pack.ts';
import { counter, detailOf } from './read-metadata.ts';
import { makeRecords } from './record-job.ts';
import { decodeUnits } from './scan-units.ts';
import { type Hashing, type SegmentReader, segmentReader } from './segment-reader.ts';
import { settle } from './settle.ts';
import type { ByteString, Syscalls, Xattr } from './syscalls.ts';
import { openWalk, walkDevice } from './walk.ts';
import { withinVolume } from './within-volume.ts';

export interface JobRunner {
  run(job: Job): Answers[keyof Answers];
}

export function jobRunner(syscalls: Syscalls): JobRunner {
  const reader = segmentReader(syscalls);
  const scratch = Buffer.allocUnsafeSlow(packLimitBytes);
  let hashing: Hashing | undefined;
  /** Jobs of one run come with the same key. */
  const under = (key: RunKey): Hashing => {
    if (hashing === undefined || Buffer.compare(hashing.key, key) !== 0)
      hashing = { key, zeroHash: zeroSegmentHashes(key) };
    return hashing;
  };
  const carryOut = (job: Job): Answers[keyof Answers] => {
    switch (job.do) {
      case 'sync':
        return syncVolume(job, syscalls);
      case 'measure':
        return measure(job, syscalls);
      case 'scan':
        return scan(job, under(job.key), { reader, syscalls, scratch });
      case 'record':
        return makeRecords(job, under(job.key), { reader, syscalls, scratch });
      case 'fill':
        return fillRecords(job, syscalls);
      case 'pack':
        return pack(job, under(job.key), { reader, scratch });
      case 'blocks':
        return { tags: blockTags(job.key, reader.read(job.root, job.place, under(job.key)).bytes) };
      case 'put':
        return putPack(job, syscalls);
      case 'settle':
        return settle(job, syscalls);
      default:
        return job satisfies never;
    }
  };
  return {
    run(job) {
      try {
        return carryOut(job);
      } finally {
        // The next job may find other directories by the same names.
        reader.close();
      }
    },
  };
}

interface Tools {
  readonly reader: SegmentReader;
  readonly syscalls: Syscalls;
  /** Where blocks of a pack are gathered. */
  readonly scratch: Buffer;
}

function scan(job: ScanJob, hashing: Hashing, { reader, syscalls, scratch }: Tools): ScanAnswer {
  const details: [number, ByteString, readonly Xattr[]][] = [];
  const gone: number[] = [];
  // Of its own memory, which crosses to the main thread once; parts of a pack are views into it.
  const hashes = Buffer.allocUnsafeSlow(job.units.paths.length * hashBytes);
  let hashed = 0;
  const warnings = counter();
  const tags: (Uint8Array | undefined)[] = [];
  const packing = job.pack || job.bases !== undefined ? packer(scratch, job.key) : undefined;
  let bytesRead = 0;
  const units = [...decodeUnits(job.units)];
  using volume = withinVolume(job.root);
  if (job.fromStorage)
    reader.fetchFromStorage(
      job.root,
      units.flatMap(({ place }, at) => (place === undefined || job.written?.[at] !== undefined ? [] : place)),
    );
  for (const [at, { entry, place }] of units.entries()) {
    // Of a file with content while it is open.
    const detail = entry === undefined || place !== undefined ? undefined : detailOf(volume, entry, syscalls);
    // A directory stays, so that what the walk found below it has a parent.
    if (detail === 'gone' && entry?.type === 'directory') warnings.add('vanished');
    else if (detail === 'gone') gone.push(at);
    else if (detail !== undefined) details.push([at, detail.target, detail.xattrs]);
    if (place === undefined) continue;
    const hash = hashes.subarray(hashed, hashed + hashBytes);
    hashed += hashBytes;
    const also = { written: job.written?.[at], xattrs: entry?.type === 'file' };
    const segment = reader.read(job.root, place, hashing, also);
    bytesRead += segment.bytesRead;
    if (segment.xattrs !== undefined && segment.xattrs.length > 0) details.push([at, '', segment.xattrs]);
    hash.set(segment.hash);
    const base = job.bases?.[at];
    const isTagged = job.tags && segment.bytes.length > taggedBytes;
    const ofBlocks = isTagged ? segmentTags(job.key, segment.bytes, base?.tags) : undefined;
    tags.push(ofBlocks);
    if (segment.warning === 'vanished' && entry !== undefined) gone.push(at);
    else {
      if (segment.warning !== undefined) warnings.add(segment.warning);
      if (job.pack || isChanged(base, hash))
        packing?.add(at, { ...segment, hash, tags: ofBlocks }, base?.tags && blockTagsIn(base.tags));
    }
  }
  if (gone.length > 0) warnings.add('vanished', gone.length);
  return {
    details,
    gone,
    hashes: hashes.subarray(0, hashed),
    tags,
    pack: packing?.finish(),
    warnings: warnings.counts,
    bytesRead,
  };
}

const isChanged = (base: SegmentBase | undefined, hash: Buffer): boolean =>
  base !== undefined && (base.hash === undefined || !hash.equals(base.hash));

function syncVolume({ root, kind }: SyncJob, syscalls: Syscalls): SyncAnswer {
  const fd = openSync(Buffer.from(root, 'latin1'), 'r');
  try {
    if (kind === 'block' || !syscalls.syncFileSystem(fd)) fsyncSync(fd);
    return { synced: true };
  } finally {
    closeSync(fd);
  }
}

function measure({ root, kind }: MeasureJob, syscalls: Syscalls): VolumeSize {
  if (kind === 'block') return { files: 1, bytes: walkDevice(root, syscalls, undefined).entry.size };
  let files = 0;
  let bytes = 0;
  const walk = openWalk(root, syscalls, { vanished: 0 });
  try {
    while (walk.next()) {
      files++;
      bytes += isPlain(walk.stat) ? contentBytes(walk.stat) : walk.found().entry.size;
    }
    return { files, bytes };
  } finally {
    walk.close();
  }
}

function pack(job: PackJob, hashing: Hashing, { reader, scratch }: Omit<Tools, 'syscalls'>): Answers['pack'] {
  const packing = packer(scratch, job.key);
  const warnings = counter();
  let bytesRead = 0;
  for (const [at, { place, own }] of job.wants.entries()) {
    const segment = reader.read(job.root, place, hashing);
    bytesRead += segment.bytesRead;
    if (segment.warning !== undefined) warnings.add(segment.warning);
    packing.add(at, segment, own);
  }
  return { pack: packing.finish(), warnings: warnings.counts, bytesRead };
}
