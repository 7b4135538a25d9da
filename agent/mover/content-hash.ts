/**
 * What contents are told apart by (docs/design/0002-mover-protocol.md, "Hashes"). A segment of one block has its SHA-256. A longer
 * one has two GMACs side by side: one under the run's key, which nobody knows who could choose contents, and one under a key
 * that everybody knows, for digests that outlast the run. Only the first may decide that contents are equal.
 * A block's tag, for finding what changed within a segment, is a GMAC under the run's key.
 */
import { createCipheriv, createHash, hash } from 'node:crypto';
import { blockBytes, zeroBlock } from './layout.ts';

/** Secret: chosen anew for each run, known to its two movers only. */
export type RunKey = Uint8Array;

export const runKeyBytes = 16;
/** Of a segment: `keyedBytes` under the run's key, then as many that are the same in every run. */
export const hashBytes = 32;
export const keyedBytes = 16;
/** Of a block. */
export const tagBytes = 16;

/** One-shot SHA-256. */
export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

const lastingKey = Buffer.from('stork tree 2\0\0\0\0');
// With one message a key a constant nonce would be forbidden only to an authenticator whose tags an attacker sees.
const nonce = Buffer.alloc(12);

/** GMAC: AES-GCM that authenticates and encrypts nothing. */
function startGmac(key: Uint8Array) {
  return createCipheriv('aes-128-gcm', key, nonce);
}

function endGmac(mac: ReturnType<typeof startGmac>): Buffer {
  mac.final();
  return mac.getAuthTag();
}

export function blockTag(key: RunKey, bytes: Uint8Array): Buffer {
  const mac = startGmac(key);
  mac.setAAD(bytes);
  return endGmac(mac);
}

/** Tags of all blocks of a segment, one after the other. */
export function blockTags(key: RunKey, bytes: Buffer): Buffer {
  const tags: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += blockBytes) tags.push(blockTag(key, bytes.subarray(at, at + blockBytes)));
  return Buffer.concat(tags);
}

/** Of {@link segmentTags}: a run of blocks that has a tag of its own. */
const chunkBlocks = 16;
const chunkBytes = chunkBlocks * blockBytes;

export const segmentTagsBytes = (lengthBytes: number): number =>
  tagBytes * (Math.ceil(lengthBytes / blockBytes) + Math.ceil(lengthBytes / chunkBytes));

/**
 * What is remembered of a segment: tags of all blocks, then of each 16 of them together. Those of a chunk whose tag is as before are
 * taken from there, as sixteen small tags cost five times what one large one does.
 * @param before of the same segment under the same key
 */
export function segmentTags(key: RunKey, bytes: Buffer, before: Uint8Array | undefined): Buffer {
  const tags = Buffer.allocUnsafeSlow(segmentTagsBytes(bytes.length));
  const chunksAt = Math.ceil(bytes.length / blockBytes) * tagBytes;
  const known = before?.length === tags.length ? before : undefined;
  for (let chunk = 0; chunk * chunkBytes < bytes.length; chunk++) {
    const content = bytes.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
    const tagAt = chunksAt + chunk * tagBytes;
    const tag = blockTag(key, content);
    tag.copy(tags, tagAt);
    const blocksAt = chunk * chunkBlocks * tagBytes;
    const isKnown = known !== undefined && tag.equals(known.subarray(tagAt, tagAt + tagBytes));
    tags.set(
      isKnown ? known.subarray(blocksAt, blocksAt + blockTagsBytes(content)) : blockTags(key, content),
      blocksAt,
    );
  }
  return tags;
}

/** Those of blocks alone: a chunk of one block has the same tag as that block. */
export function blockTagsIn(ofSegment: Uint8Array): Uint8Array {
  const tags = ofSegment.length / tagBytes;
  return ofSegment.subarray(0, (tags - Math.ceil(tags / (chunkBlocks + 1))) * tagBytes);
}

const blockTagsBytes = (content: Uint8Array): number => Math.ceil(content.length / blockBytes) * tagBytes;

export interface SegmentSum {
  /** The next bytes; they are looked at before this returns. */
  add(bytes: Uint8Array): void;
  finish(): Buffer;
}

/** @param lengthBytes of the whole segment: decides how it is summed up */
export function segmentSum(key: RunKey, lengthBytes: number): SegmentSum {
  return lengthBytes <= blockBytes ? shortSum() : longSum(key);
}

export function hashSegment(key: RunKey, bytes: Uint8Array): Buffer {
  if (bytes.length <= blockBytes) return sha256(bytes);
  const sum = longSum(key);
  for (let at = 0; at < bytes.length; at += cachedBytes) sum.add(bytes.subarray(at, at + cachedBytes));
  return sum.finish();
}

/** Small enough to be in the processor's cache still when it is looked at for the second time; whole blocks. */
export const cachedBytes = 256 * 1024;

function shortSum(): SegmentSum {
  const sum = createHash('sha256');
  return { add: (bytes) => void sum.update(bytes), finish: () => sum.digest() };
}

function longSum(key: RunKey): SegmentSum {
  const keyed = startGmac(key);
  const lasting = startGmac(lastingKey);
  return {
    add(bytes) {
      keyed.setAAD(bytes);
      lasting.setAAD(bytes);
    },
    finish: () => Buffer.concat([endGmac(keyed), endGmac(lasting)]),
  };
}

export type ZeroHashes = (lengthBytes: number) => Buffer;

/** The hash of an all-zero segment by its length; the latest ones are remembered. */
export function zeroSegmentHashes(key: RunKey): ZeroHashes {
  const known = new Map<number, Buffer>();
  return (lengthBytes) => {
    const remembered = known.get(lengthBytes);
    if (remembered !== undefined) return remembered;
    const sum = segmentSum(key, lengthBytes);
    for (let at = 0; at < lengthBytes; at += blockBytes)
      sum.add(zeroBlock.subarray(0, Math.min(blockBytes, lengthBytes - at)));
    const found = sum.finish();
    if (known.size >= rememberedLengths) known.clear();
    known.set(lengthBytes, found);
    return found;
  };
}

const rememberedLengths = 256;
