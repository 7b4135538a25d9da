/**
 * Gives the memory of a large buffer back at once. The garbage collector counts segments of 4 MiB as a few bytes of heap each and
 * lets a hundred megabytes of them pile up, for which a mover's container has no room.
 */

import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';

/** Far above Node's pool, which small buffers share. */
const worthReleasingBytes = 2 * Buffer.poolSize;

/** @param bytes a buffer that is alone in its memory and that nobody will look at again */
export function releaseMemory(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= worthReleasingBytes) buffer.transfer(0);
}

const [mmapThreshold, trimThreshold] = [-3, -1];
const apartFromBytes = 4 * 1024 * 1024;
const keptFreeBytes = 8 * 1024 * 1024;

/**
 * Has the C library keep large memory apart from small, so that the system has it back when it is freed, and takes none of what is not
 * written to: glibc otherwise learns from the first freed buffer to keep all of up to 32 MiB, for each thread. For the whole process;
 * may be called again; nothing where there is no glibc or node:ffi.
 */
function keepLargeMemoryApart(): void {
  const { mallopt } = allocator() ?? {};
  mallopt?.(mmapThreshold, apartFromBytes);
  mallopt?.(trimThreshold, keptFreeBytes);
}

/**
 * Gives the system back what the C library keeps of memory that was freed, in all threads' arenas: some milliseconds. Worth it when
 * work that needed much is over and long work follows. Nothing where there is no glibc or node:ffi.
 */
export function releaseFreeMemory(): void {
  allocator()?.malloc_trim(0n);
}

/** In per cent of what is live: a heap may grow to twice that before garbage is looked for, where V8 lets it grow to four times. */
const heapGrowth = 100;
/** Of threads that start afterwards: what they make lives for one job. */
const semiSpaceMb = 2;

/**
 * Keeps the heaps of a process small that makes much garbage and keeps little: with gigabytes of memory in sight, V8 lets each grow by
 * tens of megabytes for nothing. For the whole process, for good; may be called again.
 */
function keepHeapsSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${heapGrowth}`);
  setFlagsFromString(`--max-semi-space-size=${semiSpaceMb}`);
}

/**
 * For work that handles far more than it keeps, before what it keeps is read. For the whole process, for good; may be called again, and
 * counts for threads that start afterwards.
 */
export function keepMemorySmall(): void {
  keepLargeMemoryApart();
  keepHeapsSmall();
}

let opened: { readonly calls: ReturnType<typeof open> } | undefined;

function allocator() {
  opened ??= { calls: open() };
  return opened.calls;
}

function open() {
  try {
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi');
    return ffi.dlopen('libc.so.6', {
      mallopt: { arguments: ['i32', 'i32'], return: 'i32' },
      malloc_trim: { arguments: ['u64'], return: 'i32' },
    }).functions;
  } catch {
    // Another C library has its own ways.
    return undefined;
  }
}
