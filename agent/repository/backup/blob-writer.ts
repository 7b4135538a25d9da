/** Makes blobs of content: hash, claim, compress where it helps, seal, pack. One for each thread. */
import { createHash, randomFillSync } from 'node:crypto';
import { releaseMemory } from '../../mover/release-memory.ts';
import type { CompressionLevel } from '../format/compress.ts';
import { compress } from '../format/compress.ts';
import { binaryIdOf } from '../format/object-id.ts';
import type { BlobType } from '../format/pack.ts';
import { type SealedBlob, sealBlob, sealPieces } from '../format/pack.ts';
import { ivBytes, type RepositoryKey } from '../format/seal.ts';
import { smallBlobSealer } from '../format/seal-small.ts';
import type { WrittenPack } from './backup-job.ts';
import type { Claims } from './claims.ts';
import { createPacker, type FinishedPack, packBufferBytes } from './packer.ts';

export interface BlobWriter {
  /** Stores the content unless the repository has it; its id. */
  save(content: Uint8Array, type: BlobType): string;
  /** The same of a tree that is never held as a whole. @param pieces gives it anew, each piece valid until the next is asked for */
  saveTree(pieces: () => Iterable<Uint8Array>, length: number): string;
  /** Packs what is left. */
  handOverRest(): void;
  readonly counts: { newBlobs: number; bytesAdded: number };
}

export interface BlobWriterOptions {
  readonly key: RepositoryKey;
  readonly claims: Claims;
  /** Undefined: data isn't compressed. */
  readonly level: CompressionLevel | undefined;
  /** Takes each pack as soon as it is full, its buffer with it. */
  readonly handOver: (pack: WrittenPack) => void;
}

/** Version 2 wants trees compressed, always. */
const treeLevel = 1;

export function blobWriter({ key, claims, level, handOver }: BlobWriterOptions): BlobWriter {
  const newIv = ivSource();
  const small = smallBlobSealer(key);
  // What is not written to takes no memory.
  const takeBuffer = (bytes: number) => new ArrayBuffer(Math.max(bytes, packBufferBytes));
  const packers = {
    data: createPacker({ type: 'data', key, newIv, takeBuffer }),
    tree: createPacker({ type: 'tree', key, newIv, takeBuffer }),
  };
  const counts = { newBlobs: 0, bytesAdded: 0 };
  const pass = (pack: FinishedPack | undefined) => {
    if (pack === undefined) return;
    const { bytes, blobs, entries } = pack;
    handOver({ buffer: bytes.buffer, length: bytes.length, entries, blobs: blobs.length });
  };
  const place = (id: string, type: BlobType, blob: SealedBlob) => {
    const packer = packers[type];
    packer.add(id, blob);
    counts.newBlobs++;
    counts.bytesAdded += blob.sealed.length;
  };
  return {
    counts,
    save(content, type) {
      const id = binaryIdOf(content);
      const hex = id.toString('hex');
      if (!claims.claim(id, type)) return hex;
      const worthwhile =
        type === 'tree' ? (level ?? treeLevel) : level !== undefined && isCompressible(content) ? level : undefined;
      const iv = newIv();
      const inPlace = small?.seal(content, worthwhile, iv);
      const blob = inPlace ?? sealBlob(key, content, worthwhile, iv);
      place(hex, type, blob);
      // The sealer goes on with its own.
      if (inPlace === undefined) releaseMemory(blob.sealed);
      pass(packers[type].takeFull());
      return hex;
    },
    saveTree(pieces, length) {
      const digest = createHash('sha256');
      for (const piece of pieces()) digest.update(piece);
      const id = digest.digest();
      const hex = id.toString('hex');
      if (!claims.claim(id, 'tree')) return hex;
      const blob = sealPieces(key, { pieces: pieces(), length }, level ?? treeLevel, newIv());
      place(hex, 'tree', blob);
      releaseMemory(blob.sealed);
      pass(packers.tree.takeFull());
      return hex;
    },
    handOverRest() {
      pass(packers.data.takeRest());
      pass(packers.tree.takeRest());
    },
  };
}

const probeFrom = 64 * 1024;
const probeBytes = 4 * 1024;
/** Where of the content a piece is tried: programs and containers of files have parts that shrink and parts that don't. */
const probePlaces = [0.25, 0.5, 0.75];
/** What doesn't shrink by a thirtieth isn't worth anybody's time. */
const worthwhileRatio = 0.97;

/** Small content is simply compressed; of larger, pieces are tried until one shrinks. */
export function isCompressible(content: Uint8Array): boolean {
  if (content.length < probeFrom) return true;
  return probePlaces.some((place) => {
    const from = Math.floor((content.length - probeBytes) * place);
    return compress(content.subarray(from, from + probeBytes), 1).length < probeBytes * worthwhileRatio;
  });
}

/** Random IVs, asked of the kernel many at a time. */
function ivSource(): () => Uint8Array {
  const pool = Buffer.allocUnsafeSlow(ivBytes * 256);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    at += ivBytes;
    return pool.subarray(at - ivBytes, at);
  };
}
