/**
 * Checks a pack against its segments' hashes, then writes it: nothing of a part that doesn't match, unless all that is written is read
 * back anyway. Writing is idempotent: absolute offsets, holes where zeros belong.
 */
import { closeSync, constants, fstatSync, writeSync } from 'node:fs';
import { blockTag, hashSegment, type RunKey, segmentSum } from './content-hash.ts';
import { blockStates, type PutAnswer, type PutJob, type PutPart } from './job.ts';
import { blockBytes, blockCount, segmentBytes, segmentLength, zeroBlock } from './layout.ts';
import { errnoOf, fail } from './mover-error.ts';
import { unpack } from './pack-codec.ts';
import { releaseMemory } from './release-memory.ts';
import { createRefusals, type Degraded, finishFile, newFileMode, openToWrite, permissionBits } from './settle.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import { openWithin, placeToChange, shownPath, type WithinVolume, withinVolume } from './within-volume.ts';

export function putPack(job: PutJob, syscalls: Syscalls): PutAnswer {
  const raw = unpack(job.payload, job.compressed, job.rawLength);
  using volume = job.root === undefined ? undefined : withinVolume(job.root);
  let bytesWritten = 0;
  const refusals = createRefusals();
  for (const part of job.parts) {
    const bytes = contentOf(part, raw);
    if (job.check === 'First') verifyPart(job.key, part, bytes);
    if (volume === undefined) continue;
    bytesWritten += bytes.length;
    const degraded: Degraded = {};
    writePart(volume, part, bytes, { syscalls, degraded });
    if (part.finish !== undefined) refusals.add(part.finish, degraded);
  }
  if (raw.buffer !== job.payload.buffer) releaseMemory(raw);
  return { bytesWritten, ...refusals.answer() };
}

/** A part's bytes in the raw payload. */
export function contentOf(part: PutPart, raw: Buffer): Buffer {
  const end = part.rawOffset + sentBytes(part);
  if (end > raw.length) fail('ProtocolError', 'A part reaches beyond its pack', part.path);
  return raw.subarray(part.rawOffset, end);
}

/** From here on storage gets something to do while the rest is still on its way; small files are left to the kernel, which joins them. */
const worthWritingBackBytes = 256 * 1024;
export const isWrittenBack = (bytes: Uint8Array): boolean => bytes.length >= worthWritingBackBytes;

type SegmentStates = Pick<PutPart, 'size' | 'segment' | 'states'>;

function* blocksOf(
  part: SegmentStates,
): Generator<{ readonly state: number; readonly length: number; readonly block: number }> {
  const length = segmentLength(part.size, part.segment);
  if (part.states.length !== blockCount(length)) fail('ProtocolError', 'A part has not the blocks of its segment');
  for (const [block, state] of part.states.entries()) {
    yield { block, state, length: Math.min(blockBytes, length - block * blockBytes) };
  }
}

/** How many raw bytes of the payload belong to the part. */
export function sentBytes(part: SegmentStates): number {
  if (isAllSent(part)) return segmentLength(part.size, part.segment);
  let bytes = 0;
  for (const { state, length } of blocksOf(part)) bytes += state === blockStates.sent ? length : 0;
  return bytes;
}

/** Of most files: told apart first, as there are very many small ones. */
function isAllSent({ size, segment, states }: SegmentStates): boolean {
  if (states.length !== blockCount(segmentLength(size, segment))) return false;
  for (let block = 0; block < states.length; block++) if (states[block] !== blockStates.sent) return false;
  return true;
}

/** What is left out because we have it can't be checked here, only that what came is what was sent; reading back checks it all. */
function verifyPart(key: RunKey, part: PutPart, bytes: Buffer): void {
  const isRight = part.states.includes(blockStates.same)
    ? part.sentTag !== undefined && blockTag(key, bytes).equals(part.sentTag)
    : hashOf(key, part, bytes).equals(part.hash);
  if (!isRight) fail('ContentMismatch', 'Received content does not match its hash', part.path);
}

function hashOf(key: RunKey, part: PutPart, bytes: Buffer): Buffer {
  const wholeBytes = segmentLength(part.size, part.segment);
  if (bytes.length === wholeBytes) return hashSegment(key, bytes);
  const sum = segmentSum(key, wholeBytes);
  let at = 0;
  for (const { state, length } of blocksOf(part)) {
    const isSent = state === blockStates.sent;
    sum.add(isSent ? bytes.subarray(at, at + length) : zeroBlock.subarray(0, length));
    if (isSent) at += length;
  }
  return sum.finish();
}

export interface WriteTools {
  readonly syscalls: Syscalls;
  readonly degraded: Degraded;
}

/** Writes a part; with its file's metadata when that completes it. */
export function writePart(
  volume: WithinVolume,
  part: PutPart,
  bytes: Buffer,
  { syscalls, degraded }: WriteTools,
): void {
  const path = shownPath(volume.root, part.path);
  const flags = part.path === '' ? 0 : constants.O_CREAT | constants.O_NOFOLLOW;
  // Most files then have the mode that they are to have in the end, and nobody has to set it.
  const mode = newFileMode | ((part.finish?.mode ?? 0) & permissionBits);
  const fd = openPart(volume, part.path, { flags: constants.O_RDWR | constants.O_NONBLOCK | flags, mode }, syscalls);
  try {
    const stats = part.path === '' ? undefined : fstatSync(fd);
    if (stats?.isFile() === false) fail('VolumeChanged', 'A file turned into something else', path);
    const offset = part.segment * segmentBytes;
    const end = writeRuns({ fd, path, offset }, part, bytes, syscalls);
    if (isWrittenBack(bytes)) syscalls.beginWriteback(fd, offset, segmentBytes);
    if (part.finish === undefined || stats === undefined) return;
    const size = Math.max(stats.size, end);
    finishFile({ fd, path, stats, size, modeNow: stats.mode & 0o7777 }, part.finish, syscalls, degraded);
  } finally {
    closeSync(fd);
  }
}

function openPart(
  volume: WithinVolume,
  path: ByteString,
  how: { readonly flags: number; readonly mode: number },
  syscalls: Syscalls,
): number {
  try {
    return openWithin(volume, path, how, syscalls);
  } catch {
    // It says what is wrong, or does what who isn't root may do.
    return openToWrite(Buffer.from(placeToChange(volume, path), 'latin1'), how.flags, how.mode);
  }
}

/** Writes what was sent and clears what is zero; answers where the last write ended. */
function writeRuns(
  to: { readonly fd: number; readonly path: ByteString; readonly offset: number },
  part: PutPart,
  bytes: Buffer,
  syscalls: Syscalls,
): number {
  const { fd, path } = to;
  if (isAllSent(part)) {
    writeFully(fd, bytes, to.offset, path);
    return to.offset + bytes.length;
  }
  let at = 0;
  let end = 0;
  for (const run of runsOf(part)) {
    const offset = to.offset + run.offset;
    if (run.state === blockStates.sent) {
      writeFully(fd, bytes.subarray(at, at + run.length), offset, path);
      at += run.length;
      end = offset + run.length;
    } else if (run.state === blockStates.zero && part.overwrites) {
      clearRange(fd, offset, run.length, path, syscalls);
    }
  }
  return end;
}

/** Neighbouring blocks of one state, so that each run is one call. */
function* runsOf(
  part: PutPart,
): Generator<{ readonly state: number; readonly offset: number; readonly length: number }> {
  let run = { state: -1, offset: 0, length: 0 };
  for (const { block, state, length } of blocksOf(part)) {
    if (state === run.state) run = { ...run, length: run.length + length };
    else {
      if (run.length > 0) yield run;
      run = { state, offset: block * blockBytes, length };
    }
  }
  if (run.length > 0) yield run;
}

function clearRange(fd: number, offset: number, length: number, path: ByteString, syscalls: Syscalls): void {
  const end = Math.min(offset + length, Math.max(offset, sizeOf(fd, offset + length)));
  if (end <= offset) return;
  if (!syscalls.punchHole(fd, offset, end - offset)) writeFully(fd, Buffer.alloc(end - offset), offset, path);
}

/** A file's size; of a device whatever was asked for, as fstat doesn't know it. */
function sizeOf(fd: number, otherwise: number): number {
  const stats = fstatSync(fd);
  return stats.isFile() ? stats.size : otherwise;
}

function writeFully(fd: number, bytes: Buffer, offset: number, path: ByteString): void {
  try {
    let done = 0;
    while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') fail('VolumeFull', 'The destination volume is full', path);
    fail('VolumeUnwritable', `Writing failed with ${code ?? String(error)}`, path);
  }
}
