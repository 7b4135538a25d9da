/** Makes blobs of content: hash, claim, compress where it helps, seal, pack. One for each thread. */
import { randomFillSync } from 'node:crypto';
import type { CompressionLevel } from '../format/compress.ts';
import { compress } from '../format/compress.ts';
import { binaryIdOf } from '../format/object-id.ts';
import type { BlobType } from '../format/pack.ts';
import { sealBlob } from '../format/pack.ts';
import { ivBytes, type RepositoryKey } from '../format/seal.ts';
import type { WrittenPack } from './backup-job.ts';
import type { Claims } from './claims.ts';
import { createPacker, type FinishedPack, packBufferBytes } from './packer.ts';

export interface BlobWriter {
  /** Stores the content unless the repository has it; its id. */
  save(content: Uint8Array, type: BlobType): string;
  /** Packs that became full since. */
  takePacks(): WrittenPack[];
  takeRest(): WrittenPack[];
  giveBack(buffers: readonly ArrayBuffer[]): void;
  readonly counts: { newBlobs: number; bytesAdded: number };
}

export interface BlobWriterOptions {
  readonly key: RepositoryKey;
  readonly claims: Claims;
  /** Undefined: data isn't compressed. */
  readonly level: CompressionLevel | undefined;
}

export function blobWriter({ key, claims, level }: BlobWriterOptions): BlobWriter {
  const spare: ArrayBuffer[] = [];
  const newIv = ivSource();
  const takeBuffer = (bytes: number) => {
    const fitting = spare.findIndex(({ byteLength }) => byteLength >= bytes);
    return fitting < 0
      ? new ArrayBuffer(Math.max(bytes, packBufferBytes))
      : (spare.splice(fitting, 1)[0] ?? new ArrayBuffer(bytes));
  };
  const packers = {
    data: createPacker({ type: 'data', key, newIv, takeBuffer }),
    tree: createPacker({ type: 'tree', key, newIv, takeBuffer }),
  };
  const full: FinishedPack[] = [];
  const counts = { newBlobs: 0, bytesAdded: 0 };
  const written = ({ bytes, blobs }: FinishedPack): WrittenPack => ({
    buffer: bytes.buffer,
    length: bytes.length,
    blobs,
  });
  return {
    counts,
    save(content, type) {
      const id = binaryIdOf(content);
      const hex = id.toString('hex');
      if (!claims.claim(id, type)) return hex;
      // Version 2 wants trees compressed, always.
      const worthwhile =
        type === 'tree' ? (level ?? 1) : level !== undefined && isCompressible(content) ? level : undefined;
      const blob = sealBlob(key, content, worthwhile, newIv());
      const packer = packers[type];
      packer.add(hex, blob);
      counts.newBlobs++;
      counts.bytesAdded += blob.sealed.length;
      const pack = packer.takeFull();
      if (pack !== undefined) full.push(pack);
      return hex;
    },
    takePacks: () => full.splice(0).map(written),
    takeRest: () =>
      [packers.data.takeRest(), packers.tree.takeRest()].flatMap((pack) => (pack === undefined ? [] : [written(pack)])),
    giveBack: (buffers) => void spare.push(...buffers.slice(0, Math.max(0, sparesKept - spare.length))),
  };
}

const sparesKept = 1;

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
