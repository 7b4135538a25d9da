/**
 * The digest of a volume: the same tree gives the same digest on any machine, whatever way it got there.
 * SHA-256 run side by side over the entries in walk order: `content` (path, type, size, target and segment hashes; all but
 * special files), and one for each kind of metadata a restricted mover may fail to set: `mode`, `owner`, `mtime`, `xattr`,
 * `special` (fifos, sockets, devices). The digest is SHA-256 over the label `stork-tree-2` and the six in this order, with of
 * each segment's hash the half that is the same in every run: it outlasts the run, and tells whether a volume is still what it
 * was then. Whether two movers have the same is decided by `parts`, whose `content` covers the secret halves too.
 * Holes count as zeros. Not covered: atime, ctime, inode numbers, link counts, where holes are.
 */
import { createHash, type Hash } from 'node:crypto';
import { type ByteWriter, byteWriter } from './byte-codec.ts';
import { hashBytes, keyedBytes, sha256 } from './content-hash.ts';
import { type Entry, entryTypes, isSpecial, writeXattrs } from './entry.ts';
import { fail } from './mover-error.ts';
import { eachRecord, emptyFields, entryTypeNumbers, locateFields, type RecordRun, recordTags } from './tree-record.ts';

export const digestParts = ['content', 'mode', 'owner', 'mtime', 'xattr', 'special'] as const;
export type DigestPart = (typeof digestParts)[number];

export interface TreeDigest {
  /** `tree2:<hex>`. */
  readonly digest: string;
  readonly parts: Readonly<Record<DigestPart, string>>;
  readonly files: number;
  readonly bytes: number;
}

export interface TreeDigester {
  /** Entries in walk order, each followed by its segments in order. */
  addEntry(entry: Entry): void;
  addSegment(hash: Uint8Array): void;
  /** Entries with their segments, as a tree file has them. */
  addRun(run: RecordRun): void;
  finish(): TreeDigest;
}

const flushBytes = 64 * 1024;

export function treeDigester(): TreeDigester {
  const streams = {
    content: partStream(),
    mode: partStream(),
    owner: partStream(),
    mtime: partStream(),
    xattr: partStream(),
    special: partStream(),
  };
  const keyed = partStream();
  let files = 0;
  let bytes = 0;
  const fields = emptyFields();
  /** The same as `addEntry`: a record has the values in the same bytes. */
  const addRecorded = (piece: Buffer, from: number, to: number) => {
    locateFields(piece, from, to, fields);
    const { type } = fields;
    const identity = (isSpecial(entryTypes[type] ?? 'file') ? streams.special : streams.content).next();
    identity.copy(piece, fields.pathLength - 1, fields.mode);
    identity.copy(piece, fields.size, fields.attributes);
    if (type === entryTypeNumbers.hardlink) return;
    if (type !== entryTypeNumbers.symlink) streams.mode.next().copy(piece, fields.mode, fields.owner);
    streams.owner.next().copy(piece, fields.owner, fields.mtime);
    streams.mtime.next().copy(piece, fields.mtime, fields.size);
    streams.xattr.next().copy(piece, fields.attributes, fields.end);
  };
  return {
    addEntry(entry) {
      files++;
      bytes += entry.size;
      addIdentity(isSpecial(entry.type) ? streams.special : streams.content, entry);
      // A symlink has no mode of its own, a hard link shares everything with its first name.
      if (entry.type === 'hardlink') return;
      const { mode, owner, mtime, xattr } = streams;
      if (entry.type !== 'symlink') mode.next().number(entry.mode);
      if (entry.type === 'volume') return;
      const ids = owner.next();
      ids.number(entry.uid);
      ids.number(entry.gid);
      mtime.next().int64(entry.mtimeNs);
      writeXattrs(xattr.next(), entry.xattrs);
    },
    addSegment(hash) {
      keyed.next().raw(hash.subarray(0, keyedBytes));
      streams.content.next().raw(hash.subarray(keyedBytes));
    },
    addRun(run) {
      files += run.entries;
      bytes += run.bytes;
      for (const piece of run.pieces)
        eachRecord(piece, (from, to) => {
          if (piece[from] === recordTags.segment) {
            keyed.next().copy(piece, from + 1, from + 1 + keyedBytes);
            streams.content.next().copy(piece, from + 1 + keyedBytes, from + 1 + hashBytes);
          } else addRecorded(piece, from, to);
        });
    },
    finish() {
      const [content, ...metadata] = digestParts.map((part) => streams[part].finish());
      const lasting = content ?? fail('MoverFault', 'A digest without its content');
      const whole = sha256(Buffer.concat([Buffer.from('stork-tree-2\0'), lasting, ...metadata]));
      const sums = [sha256(Buffer.concat([lasting, keyed.finish()])), ...metadata];
      const parts = Object.fromEntries(digestParts.map((part, at) => [part, sums[at]?.toString('hex') ?? '']));
      return { digest: `tree2:${whole.toString('hex')}`, parts: assertParts(parts), files, bytes };
    },
  };
}

/** Equal in everything, also under the run's key. */
export const isSameTree = (left: TreeDigest, right: TreeDigest): boolean =>
  left.digest === right.digest && differingParts(left, right).length === 0;

/** The same for the same trees only: what {@link isSameTree} compares, as one text. */
export const wholeOf = ({ digest, parts }: TreeDigest): string =>
  [digest, ...digestParts.map((part) => parts[part])].join(' ');

/** The parts in which two digests differ. */
export function differingParts(left: TreeDigest, right: TreeDigest): readonly DigestPart[] {
  return digestParts.filter((part) => left.parts[part] !== right.parts[part]);
}

// `Object.fromEntries` forgets the keys it was given.
function assertParts(parts: Record<string, string>): Record<DigestPart, string> {
  return parts as Record<DigestPart, string>;
}

function addIdentity(stream: PartStream, entry: Entry): void {
  const writer = stream.next();
  writer.byte(entryTypes.indexOf(entry.type));
  writer.text(entry.path);
  writer.number(entry.size);
  writer.text(entry.target);
  writer.int64(entry.rdev);
}

type PartStream = ReturnType<typeof partStream>;

/** Gathers small values so that the hash is fed by the block. */
function partStream() {
  const writer = byteWriter(flushBytes + 4096);
  const sum: Hash = createHash('sha256');
  return {
    /** To write the next value to. */
    next(): ByteWriter {
      if (writer.length >= flushBytes) sum.update(writer.take());
      return writer;
    },
    finish(): Buffer {
      sum.update(writer.take());
      return sum.digest();
    },
  };
}
