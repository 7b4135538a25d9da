/**
 * Makes the files and symlinks of records, with contents and metadata, in a new volume; in a worker thread. Directories are there before,
 * and get their metadata when all in them is done. The records are a peer's: each value is checked as it is read.
 */
import { byteReader } from './byte-codec.ts';
import { type Entry, hasContent } from './entry.ts';
import { blockStates, type FillAnswer, type FillJob, sentBlocks } from './job.ts';
import { segmentCount } from './layout.ts';
import { readStates } from './message.ts';
import { fail } from './mover-error.ts';
import { unpack } from './pack-codec.ts';
import { contentOf, isWrittenBack, writePart } from './put-pack.ts';
import { releaseMemory } from './release-memory.ts';
import { createRefusals, type Degraded, settleOne } from './settle.ts';
import type { Syscalls } from './syscalls.ts';
import { eachRecord, entryAt, recordTags } from './tree-record.ts';
import { withinVolume } from './within-volume.ts';

export function fillRecords(job: FillJob, syscalls: Syscalls): FillAnswer {
  using volume = withinVolume(job.root);
  const raw = unpack(job.payload, job.compressed, job.rawLength);
  const states = byteReader(bufferOf(job.states));
  const encoded = bufferOf(job.encoded);
  const refusals = createRefusals();
  let rawOffset = 0;
  let blocks = 0;
  let leftToKernelBytes = 0;
  const writeFile = (entry: Entry): Degraded => {
    if (segmentCount(entry.size) !== 1) fail('ProtocolError', 'A file of several segments among plain entries');
    const ofBlocks = readStates(states);
    if (ofBlocks.includes(blockStates.same)) fail('ProtocolError', 'A new file leaves out blocks', entry.path);
    blocks += sentBlocks(ofBlocks);
    const ofFile = { path: entry.path, size: entry.size, segment: 0, states: ofBlocks, rawOffset };
    const part = { ...ofFile, hash: noHash, overwrites: false, sentTag: undefined, finish: entry };
    const bytes = contentOf(part, raw);
    rawOffset += bytes.length;
    if (!isWrittenBack(bytes)) leftToKernelBytes += bytes.length;
    const degraded: Degraded = {};
    writePart(volume, part, bytes, { syscalls, degraded });
    return degraded;
  };
  eachRecord(encoded, (from, to) => {
    if (encoded[from] === recordTags.segment) return;
    const entry = entryAt(encoded, from, to);
    if (entry.type === 'directory') return;
    const hasBytes = hasContent(entry) && entry.size > 0;
    refusals.add(entry, hasBytes ? writeFile(entry) : settleOne(volume, { do: 'create', entry }, syscalls));
  });
  if (rawOffset !== raw.length || !states.done) fail('ProtocolError', 'Contents are not those of their entries');
  if (raw.buffer !== job.payload.buffer) releaseMemory(raw);
  return { bytesWritten: rawOffset, leftToKernelBytes, blocks, ...refusals.answer() };
}

const noHash = new Uint8Array(0);

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
