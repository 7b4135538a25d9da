/**
 * The staging of one volume: verified contents (`blobs`, append-only, kept across attempts) and the operations that will change
 * the volume (`plan`, rewritten by each attempt). A record of blobs carries its own checksum, so a torn tail after a crash is
 * found and cut off, and whatever came before is never asked for again.
 */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type ByteReader, type ByteWriter, byteReader, byteWriter } from './byte-codec.ts';
import { hashBytes, type RunKey, sha256 } from './content-hash.ts';
import type { Entry } from './entry.ts';
import type { WorkerPool } from './job.ts';
import { blockStates } from './job.ts';
import { segmentLength } from './layout.ts';
import { readSentTag, readStates, writeSentTag, writeStates } from './message.ts';
import { fail } from './mover-error.ts';
import { encodeOperation, type Operation } from './plan.ts';
import { createRecordWriter, openRecordCursor, openRecordReader } from './record-file.ts';
import { segmentTable } from './segment-table.ts';
import type { Placement, StoredPack, VolumeSink } from './volume-sink.ts';

export interface StagingOptions {
  readonly directory: string;
  /** At most this much may be kept below `directory`, whatever the file system says. */
  readonly limitBytes: number;
  readonly pool: WorkerPool;
  readonly key: RunKey;
}

export interface StagingSink extends VolumeSink {
  /** What staging would have to hold when it can't; 0 when all fits. */
  readonly missingBytes: number;
  readonly stagedBytes: number;
  /** Whether the volume is to be changed at all. */
  readonly plansChanges: boolean;
  /** Everything is on storage. */
  sync(): void;
  close(): void;
}

export const stagingFiles = (directory: string) => ({
  index: join(directory, 'index'),
  blobs: join(directory, 'blobs'),
  plan: join(directory, 'plan'),
});

/** Kept free for the plan, the index and the file system itself. */
const reserveBytes = 4 * 1024 * 1024;

export function stagingSink({ directory, limitBytes, pool, key }: StagingOptions): StagingSink {
  const files = stagingFiles(directory);
  const { table, validBytes, matches } = recoverBlobs(files.blobs);
  const blobs = createRecordWriter(files.blobs, validBytes);
  const plan = createRecordWriter(files.plan);
  let missingBytes = 0;
  let plannedFiles = 0;
  let plannedBytes = 0;
  const addEntry = (operation: Extract<Operation, { readonly entry: Entry }>) => {
    plannedFiles++;
    plan.append(encodeOperation(operation));
  };
  const hasRoom = (bytes: number) => {
    const { bavail, bsize } = statfsSync(directory);
    const free = Math.min(bavail * bsize, limitBytes - blobs.bytes - plan.bytes);
    return free > bytes + reserveBytes;
  };
  const append = (pack: StoredPack): readonly Placement[] => {
    const record = blobs.append(encodeBlob(pack));
    return pack.parts.map(({ hash }, part) => {
      table.add(hash, record);
      return { record, part };
    });
  };
  return {
    remove: (path) => void plan.append(encodeOperation({ do: 'remove', path })),
    makeDirectory: (path) => void plan.append(encodeOperation({ do: 'makeDirectory', path })),
    async store(pack) {
      await pool.run({ do: 'put', key, check: 'First', root: undefined, ...pack });
      if (missingBytes === 0 && hasRoom(pack.payload.length)) return append(pack);
      missingBytes += pack.payload.length;
      return pack.parts.map(() => undefined);
    },
    fill: async () => fail('ProtocolError', 'A bundle of new entries for a volume that is updated'),
    findStored: (hash, base) => {
      for (const record of table.find(hash)) {
        const part = record < validBytes ? matches(record, hash, base) : undefined;
        if (part !== undefined) return { record, part };
      }
      return undefined;
    },
    write(target, placement) {
      plannedBytes += segmentLength(target.size, target.segment);
      plan.append(encodeOperation({ do: 'write', target, placement }));
    },
    create: async (entry) => addEntry({ do: 'create', entry }),
    link: async (entry) => addEntry({ do: 'link', entry }),
    finish: async (entry) => addEntry({ do: 'finish', entry }),
    complete: async () => undefined,
    get isCounting() {
      return missingBytes > 0;
    },
    count(payloadBytes) {
      missingBytes += payloadBytes;
    },
    touchesDirectories: false,
    degraded: {},
    get planned() {
      return { files: plannedFiles, bytes: plannedBytes };
    },
    get missingBytes() {
      return missingBytes;
    },
    get stagedBytes() {
      return blobs.bytes + plan.bytes;
    },
    get plansChanges() {
      return plan.bytes > 0;
    },
    sync() {
      blobs.flush('Durable');
      plan.flush('Durable');
    },
    close() {
      blobs.flush('Cached');
      blobs.close();
      plan.close();
    },
  };
}

/** A staged pack as the apply phase reads it back. */
export interface Blob {
  readonly parts: readonly BlobPart[];
  readonly payload: Buffer;
  readonly compressed: boolean;
  readonly rawLength: number;
}

interface BlobPart {
  readonly hash: Buffer;
  readonly rawOffset: number;
  readonly states: Uint8Array;
  readonly base: Buffer | undefined;
  readonly sentTag: Buffer | undefined;
}

function encodeBlob({ parts, payload, compressed, rawLength }: StoredPack): Uint8Array {
  const writer = byteWriter(payload.length + 4096);
  writer.number(parts.length);
  for (const part of parts) {
    const refersToOwn = part.states.includes(blockStates.same);
    writer.raw(part.hash);
    writer.number(part.rawOffset);
    writeStates(writer, part.states);
    writer.bytes(refersToOwn && part.base !== undefined ? part.base : new Uint8Array(0));
    writeSentTag(writer, part);
  }
  writer.byte(compressed ? 1 : 0);
  writer.number(rawLength);
  writer.bytes(payload);
  return withChecksum(writer);
}

function withChecksum(writer: ByteWriter): Uint8Array {
  writer.raw(sha256(writer.view()));
  return writer.take();
}

/** Throws `StagingDamaged` when the record isn't what was written. */
export function decodeBlob(record: Buffer): Blob {
  const body = record.subarray(0, Math.max(0, record.length - hashBytes));
  if (!sha256(body).equals(record.subarray(body.length))) fail('StagingDamaged', 'A staged record fails its checksum');
  const reader = byteReader(body);
  const parts = Array.from({ length: reader.number() }, () => readPart(reader));
  const compressed = reader.byte() === 1;
  const rawLength = reader.number();
  return { parts, compressed, rawLength, payload: reader.bytes(body.length) };
}

function readPart(reader: ByteReader): BlobPart {
  const hash = Buffer.from(reader.raw(hashBytes));
  const rawOffset = reader.number();
  const states = readStates(reader);
  const base = reader.bytes(hashBytes);
  const sentTag = readSentTag(reader, states);
  return { hash, rawOffset, states, base: base.length === 0 ? undefined : base, sentTag };
}

/** Reads what earlier attempts left; stops at the first record that is torn. */
function recoverBlobs(file: string) {
  const table = segmentTable();
  let validBytes = 0;
  for (const { blob, offset, end } of wholeBlobs(file)) {
    validBytes = end;
    for (const { hash } of blob.parts) table.add(hash, offset);
  }
  // Neighbouring segments mostly are in one record: the last one read is kept.
  let last: { readonly record: number; readonly parts: Blob['parts'] } | undefined;
  const partsOf = (record: number) => {
    if (last?.record === record) return last.parts;
    const records = openRecordReader(file);
    try {
      last = { record, parts: decodeBlob(records.read(record)).parts };
      return last.parts;
    } finally {
      records.close();
    }
  };
  return {
    table,
    validBytes,
    matches(record: number, hash: Uint8Array, base: Uint8Array | undefined): number | undefined {
      const part = partsOf(record).findIndex((candidate) => {
        if (!candidate.hash.equals(hash)) return false;
        return candidate.base === undefined || (base !== undefined && candidate.base.equals(base));
      });
      return part < 0 ? undefined : part;
    },
  };
}

function* wholeBlobs(file: string): Generator<{ readonly blob: Blob; readonly offset: number; readonly end: number }> {
  const cursor = openExisting(file);
  if (cursor === undefined) return;
  try {
    for (;;) {
      const next = nextWhole(cursor);
      if (next === undefined) return;
      yield next;
    }
  } finally {
    cursor.close();
  }
}

function openExisting(file: string) {
  try {
    return openRecordCursor(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function nextWhole(cursor: ReturnType<typeof openRecordCursor>) {
  try {
    const next = cursor.next();
    if (next === undefined) return undefined;
    return { blob: decodeBlob(next.record), offset: next.offset, end: next.offset + 4 + next.record.length };
  } catch {
    // Torn by a crash: what follows was never acknowledged to anybody.
    return undefined;
  }
}
