/**
 * How contents are cut: files into segments of 4 MiB, segments into blocks of 16 KiB, both aligned to the file's start. The last
 * block and segment are as long as the file leaves them.
 */
export const blockBytes = 16 * 1024;
export const segmentBytes = 4 * 1024 * 1024;

export const segmentCount = (sizeBytes: number): number => Math.ceil(sizeBytes / segmentBytes);
export const segmentLength = (sizeBytes: number, segment: number): number =>
  Math.min(segmentBytes, sizeBytes - segment * segmentBytes);
export const blockCount = (lengthBytes: number): number => Math.ceil(lengthBytes / blockBytes);

/** Of segments up to this all blocks travel when one changed. */
export const taggedBytes = 4 * blockBytes;

export const zeroBlock = Buffer.alloc(blockBytes);
