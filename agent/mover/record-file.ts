/**
 * An append-only file of length-prefixed records, written in large pieces and read back in order or at an offset.
 * The destination keeps there what must not live in memory: the index of its own volume, the plan.
 */
import { closeSync, constants, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { fail } from './mover-error.ts';

export interface RecordWriter {
  /** Returns the record's offset. */
  append(record: Uint8Array): number;
  /** Bytes that are no record. */
  appendRaw(bytes: Uint8Array): void;
  /** Everything appended is in the file afterwards; with `Durable` also on its storage. */
  flush(durability: 'Cached' | 'Durable'): void;
  readonly bytes: number;
  close(): void;
}

export interface RecordCursor {
  /** The next record and its offset; undefined at the end. The bytes stay as they are, and keep what was read with them in memory. */
  next(): { readonly record: Buffer; readonly offset: number } | undefined;
  close(): void;
}

const bufferBytes = 256 * 1024;
const lengthBytes = 4;
const recordLimitBytes = 8 * 1024 * 1024;

/**
 * @param keepBytes how much of an existing file to keep; appending begins there
 * @param onWritten is told all bytes in their order
 */
export function createRecordWriter(path: string, keepBytes = 0, onWritten?: (bytes: Uint8Array) => void): RecordWriter {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  ftruncateSync(fd, keepBytes);
  const pending = Buffer.allocUnsafeSlow(bufferBytes);
  let pendingBytes = 0;
  let written = keepBytes;
  const write = (bytes: Uint8Array) => {
    onWritten?.(bytes);
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, written + done);
    }
    written += bytes.length;
  };
  const flush = () => {
    const length = pendingBytes;
    pendingBytes = 0;
    write(pending.subarray(0, length));
  };
  const add = (bytes: Uint8Array) => {
    if (pendingBytes + bytes.length > bufferBytes) flush();
    if (bytes.length > bufferBytes) return write(bytes);
    pending.set(bytes, pendingBytes);
    pendingBytes += bytes.length;
  };
  const length = Buffer.alloc(lengthBytes);
  return {
    append(record) {
      const offset = written + pendingBytes;
      length.writeUInt32LE(record.length);
      add(length);
      add(record);
      return offset;
    },
    appendRaw: add,
    flush(durability) {
      flush();
      if (durability === 'Durable') fsyncSync(fd);
    },
    get bytes() {
      return written + pendingBytes;
    },
    close: () => closeSync(fd),
  };
}

export function openRecordCursor(path: string): RecordCursor {
  const scanner = openRecordScanner(path);
  return {
    next() {
      if (!scanner.advance()) return undefined;
      const { bytes, from, to, offset } = scanner;
      return { record: bytes.subarray(from, to), offset };
    },
    close: () => scanner.close(),
  };
}

/** The same without an object for each record. */
export interface RecordScanner {
  /** Goes on to the next record; false at the end. */
  advance(): boolean;
  /** The record is at `[from, to)` of these bytes, its length right before it. They stay as they are. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  /** In the file, to read it by. */
  readonly offset: number;
  close(): void;
}

export function openRecordScanner(path: string): RecordScanner {
  const fd = openSync(path, 'r');
  let bufferOffset = 0;
  // Plain fields: they are read for each record, several times, and mostly by code that is not yet optimized.
  const at = { bytes: Buffer.alloc(0), from: 0, to: 0, offset: 0 };
  const have = (length: number): boolean => {
    if (at.bytes.length - at.to >= length) return true;
    const more = Buffer.allocUnsafe(Math.max(bufferBytes, length));
    const got = readSync(fd, more, 0, more.length, bufferOffset + at.bytes.length);
    bufferOffset += at.to;
    at.bytes = Buffer.concat([at.bytes.subarray(at.to), more.subarray(0, got)]);
    at.to = 0;
    return at.bytes.length >= length;
  };
  return Object.assign(at, {
    advance() {
      if (!have(lengthBytes)) return false;
      const length = at.bytes.readUInt32LE(at.to);
      if (length > recordLimitBytes || !have(lengthBytes + length))
        fail('StagingDamaged', 'A record file is cut short', path);
      at.offset = bufferOffset + at.to;
      at.from = at.to + lengthBytes;
      at.to = at.from + length;
      return true;
    },
    close: () => closeSync(fd),
  });
}

/** Reads single records by offset. */
export function openRecordReader(path: string): { read(offset: number): Buffer; close(): void } {
  const fd = openSync(path, 'r');
  const readAt = (offset: number, length: number) => {
    const bytes = Buffer.alloc(length);
    if (readSync(fd, bytes, 0, length, offset) < length) fail('StagingDamaged', 'A record file is cut short', path);
    return bytes;
  };
  return {
    read: (offset) =>
      readAt(offset + lengthBytes, Math.min(recordLimitBytes, readAt(offset, lengthBytes).readUInt32LE())),
    close: () => closeSync(fd),
  };
}
