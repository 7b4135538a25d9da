/**
 * Reads a file's content and makes blobs of it: small files whole, database-like ones in fixed blocks, others where their content says.
 * Positional reads only; holes are not read.
 */
import { readSync } from 'node:fs';
import type { Syscalls } from '../../mover/syscalls.ts';
import type { Pace } from '../local-limits.ts';
import type { Chunking } from './backup-job.ts';
import type { BlobWriter } from './blob-writer.ts';
import { cutAfter, fileChunks } from './gear-chunker.ts';

/** Aligned blocks of what is rewritten in place; a change of a database page costs one. */
export const pageBlockBytes = 128 * 1024;
/** Larger files are read in parts of this size by all threads. */
export const partBytes = 32 * 1024 * 1024;
const readStepBytes = 2 * 1024 * 1024;
const probes = 8;
const probeBytes = 4096;

export interface ContentReader {
  /** Ids of the blobs of `[offset, offset + length)`. `bytesRead` less than `length`: the file ended before. */
  save(
    fd: number,
    part: { readonly offset: number; readonly length: number; readonly chunking: Chunking },
  ): SavedContent;
  /** Whether no byte is zero in any of the pages that are looked at: eight, from the first to near the last. */
  isText(fd: number, size: number): boolean;
}

export interface SavedContent {
  readonly ids: readonly string[];
  readonly bytes: number;
}

export interface ContentTools {
  readonly blobs: Pick<BlobWriter, 'save'>;
  readonly syscalls: Syscalls;
  /** Of the gear chunker. */
  readonly table: Uint32Array;
  readonly pace: Pace | undefined;
}

export function contentReader({ blobs, syscalls, table, pace }: ContentTools): ContentReader {
  const readFully = (fd: number, into: Buffer, offset: number): number => {
    pace?.(into.length);
    return readUpTo(fd, into, offset);
  };
  // Read in smaller steps than this: most of it is never touched, and what isn't touched takes no memory.
  const buffer = Buffer.allocUnsafeSlow(fileChunks.max + readStepBytes);
  const zeroBlock = Buffer.alloc(pageBlockBytes);

  const saveWhole = (fd: number, offset: number, length: number): SavedContent => {
    const bytes = readFully(fd, buffer.subarray(0, length), offset);
    return { ids: bytes === 0 ? [] : [blobs.save(buffer.subarray(0, bytes), 'data')], bytes };
  };
  const savePages = (fd: number, offset: number, length: number): SavedContent => {
    const ids: string[] = [];
    let zeroId: string | undefined;
    const saveZeros = () => {
      zeroId ??= blobs.save(zeroBlock, 'data');
      return zeroId;
    };
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const size = Math.min(pageBlockBytes, end - at);
      const data = syscalls.nextData(fd, at);
      // Whether no data follows, or the file ended, only reading tells at its end.
      if (size === pageBlockBytes && data !== undefined && data >= at + size) {
        const holes = Math.floor((Math.min(data, end) - at) / pageBlockBytes);
        for (let hole = 0; hole < holes; hole++) ids.push(saveZeros());
        at += holes * pageBlockBytes;
        continue;
      }
      const bytes = readFully(fd, buffer.subarray(0, size), at);
      // Devices don't tell their holes; to compare costs a fraction of hashing.
      if (bytes === pageBlockBytes && zeroBlock.compare(buffer, 0, bytes) === 0) ids.push(saveZeros());
      else if (bytes > 0) ids.push(blobs.save(buffer.subarray(0, bytes), 'data'));
      at += bytes;
      if (bytes < size) return { ids, bytes: at - offset };
    }
    return { ids, bytes: length };
  };
  const saveChunks = (fd: number, offset: number, length: number): SavedContent => {
    const ids: string[] = [];
    let held = 0;
    let read = 0;
    for (;;) {
      const wanted = Math.min(readStepBytes, buffer.length - held, length - read);
      const got = readFully(fd, buffer.subarray(held, held + wanted), offset + read);
      read += got;
      held += got;
      const isEnd = read === length || got < wanted;
      if (held === 0) return { ids, bytes: read };
      let from = 0;
      while (from < held) {
        const size = cutAfter(buffer.subarray(from, held), table, fileChunks);
        // No cut in what is here: more bytes tell where it is.
        if (!isEnd && from + size === held && size < fileChunks.max) break;
        ids.push(blobs.save(buffer.subarray(from, from + size), 'data'));
        from += size;
      }
      buffer.copyWithin(0, from, held);
      held -= from;
    }
  };
  return {
    save(fd, { offset, length, chunking }) {
      if (chunking === 'whole') return saveWhole(fd, offset, length);
      return chunking === 'pages' ? savePages(fd, offset, length) : saveChunks(fd, offset, length);
    },
    isText(fd, size) {
      for (let probe = 0; probe < probes; probe++) {
        const bytes = readFully(fd, buffer.subarray(0, probeBytes), Math.floor((size / probes) * probe));
        if (buffer.subarray(0, bytes).includes(0)) return false;
      }
      return true;
    },
  };
}

/** Bytes read; fewer than asked for at the end of the file. */
function readUpTo(fd: number, into: Buffer, offset: number): number {
  let done = 0;
  while (done < into.length) {
    const got = readSync(fd, into, done, into.length - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
