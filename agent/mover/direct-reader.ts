/** Reads blocks of a file from storage, past what the kernel has cached of it (O_DIRECT): what is dirty there is written first. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { blockBytes, blockCount } from './layout.ts';
import type { Syscalls } from './syscalls.ts';
import { ofDescriptor } from './within-volume.ts';
import { writtenRuns } from './written-blocks.ts';

export interface DirectReader {
  /**
   * Puts what storage has into the written blocks of a segment; zeros where the file ends before them.
   * False when this file system, or we, can't: then `bytes` are of no use.
   * @param open the file, however it was opened. @param bytes of the segment, as far as the file goes. @param offset of the segment in the file
   */
  readOver(open: number, bytes: Buffer, offset: number, written: Uint8Array): boolean;
}

/** Of memory and of lengths: what any device asks for. */
const alignedBytes = 4096;
const bufferBytes = 16 * blockBytes;

export function directReader(syscalls: Syscalls): DirectReader {
  let aligned: Buffer | undefined;
  return {
    readOver(open, bytes, offset, written) {
      if (written.length === 0) return true;
      aligned ??= syscalls.alignedBuffer(bufferBytes, alignedBytes);
      if (aligned === undefined) return false;
      try {
        const fd = openSync(ofDescriptor(open), constants.O_RDONLY | constants.O_DIRECT | constants.O_NONBLOCK);
        try {
          for (const run of writtenRuns(written, blockCount(bytes.length)))
            readRun(fd, { aligned, into: bytes, offset }, run.block * blockBytes, run.blocks * blockBytes);
          return true;
        } finally {
          closeSync(fd);
        }
      } catch {
        // EINVAL where there is no such reading. Whatever else it is, reading as usual meets it, too, and names it.
        return false;
      }
    },
  };
}

interface Reading {
  readonly aligned: Buffer;
  readonly into: Buffer;
  readonly offset: number;
}

function readRun(fd: number, { aligned, into, offset }: Reading, from: number, length: number): void {
  const end = Math.min(into.length, from + length);
  for (let at = from; at < end; at += aligned.length) {
    const wanted = Math.min(aligned.length, end - at);
    const got = readSync(fd, aligned, 0, Math.ceil(wanted / alignedBytes) * alignedBytes, offset + at);
    into.fill(0, at, at + wanted);
    aligned.copy(into, at, 0, Math.min(got, wanted));
  }
}
