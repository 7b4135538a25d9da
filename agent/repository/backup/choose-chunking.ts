/** How the content of a file is cut into blobs: by its size and what it looks like, unless the user said otherwise for its path. Pure. */
import type { ByteString } from '../../mover/syscalls.ts';
import { type PathFilter, pathFilter } from '../select-paths.ts';
import type { Chunking } from './backup-job.ts';

/** `fixed`: aligned blocks of 128 KiB. `auto`: those for what looks like a database or a disk image. */
export const chunkingWishes = ['auto', 'content', 'fixed'] as const;
export type ChunkingWish = (typeof chunkingWishes)[number];

export interface ChunkingRule {
  readonly wish: ChunkingWish;
  /** As of --exclude; every file when undefined. */
  readonly pattern: ByteString | undefined;
}

/** One blob up to this size, whatever the wish: a change costs no more than half a chunk. */
export const wholeLimitBytes = 512 * 1024;
const memoryPage = 4096;
/** A file's blobs are listed in one tree, 67 bytes each, and no reader takes one of more than 512 MiB: blocks of 128 KiB would fill it at 1 TiB. */
export const blocksLimitBytes = 768 * 1024 ** 3;

/**
 * Files that are rewritten in place, as databases and disk images are, have whole pages, with zeros somewhere: text has none, and small
 * blocks of it compress worse.
 * @param isText looks at the content; asked only when the size leaves it open
 */
export function decideChunking(size: number, wish: ChunkingWish, isText: () => boolean): Chunking {
  if (size <= wholeLimitBytes) return 'whole';
  if (size > blocksLimitBytes) return 'content';
  if (wish !== 'auto') return wish === 'fixed' ? 'pages' : 'content';
  return size % memoryPage === 0 && !isText() ? 'pages' : 'content';
}

/** Of a path from the root: the last rule that means it counts. */
export function chunkingOf(rules: readonly ChunkingRule[]): (path: ByteString) => ChunkingWish {
  const all: readonly { readonly wish: ChunkingWish; readonly filter: Pick<PathFilter, 'isMeant'> }[] = rules.map(
    ({ wish, pattern }) => ({ wish, filter: pathFilter(pattern === undefined ? [] : [pattern], []) }),
  );
  return (path) => all.findLast(({ filter }) => filter.isMeant(path))?.wish ?? 'auto';
}

/** `fixed`, or `fixed:PATTERN`; undefined when it is neither. */
export function parseChunkingRule(text: ByteString): ChunkingRule | undefined {
  const at = text.indexOf(':');
  const word = at < 0 ? text : text.slice(0, at);
  const wish = chunkingWishes.find((one) => one === word);
  const pattern = at < 0 ? undefined : text.slice(at + 1);
  return wish === undefined || pattern === '' ? undefined : { wish, pattern };
}
