/**
 * Gives the memory of a large buffer back at once. The garbage collector counts segments of 4 MiB as a few bytes of heap each and
 * lets a hundred megabytes of them pile up, for which a mover's container has no room.
 */

/** Small buffers share their memory with others. */
const worthReleasingBytes = 256 * 1024;

/** @param bytes a buffer that is alone in its memory and that nobody will look at again */
export function releaseMemory(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && bytes.byteLength >= worthReleasingBytes) buffer.transfer(0);
}
