/**
 * tidy: dead-export because bundle.ts calls it by name, in text.
 * The part of the single executable that knows its assets: makes `loadChunk` for the main script and for workers.
 */
import { getAsset, getAssetKeys, getRawAsset } from 'node:sea';
import { type ChunkSource, createChunkLoader } from './chunk-loader.ts';

/** Assets are named `./chunk.js` and, where a code cache was made, `./chunk.js.cache`. */
export function seaChunkLoader(inline: ChunkSource['inline']): (name: string) => unknown {
  const assets = new Set(getAssetKeys());
  const cached = (name: string) => `${name}.cache`;
  return createChunkLoader({
    inline,
    code: (name) => getAsset(name, 'utf8'),
    cache: (name) => (assets.has(cached(name)) ? Buffer.from(getRawAsset(cached(name))) : undefined),
  }).load;
}
