/**
 * Writes and reads the small binary values of frames, index and plan: unsigned LEB128 numbers up to 2^53, signed 64-bit
 * integers, length-prefixed bytes and byte strings. The reader trusts nothing: it throws `ProtocolError` on a short or oversized value.
 */
import { fail } from './mover-error.ts';

export interface ByteWriter {
  byte(value: number): void;
  number(value: number): void;
  int64(value: bigint): void;
  /** The same from its halves. */
  halves(low: number, high: number): void;
  /** 32 bits, little-endian. */
  int32(value: number): void;
  /** Changes one that was written, by the length before it. */
  patch32(at: number, value: number): void;
  /** Length, then the bytes. */
  bytes(value: Uint8Array): void;
  /** The bytes alone, for values of a known length. */
  raw(value: Uint8Array): void;
  /** The bytes at `[from, to)`, of which there are few. */
  copy(source: Uint8Array, from: number, to: number): void;
  text(value: string): void;
  readonly length: number;
  /** A view of what was written; valid until the next write or clear. */
  view(): Buffer;
  /** A copy of what was written; the writer is empty afterwards. */
  take(): Buffer;
}

export interface ByteReader {
  byte(): number;
  number(): number;
  int64(): bigint;
  bytes(limit: number): Buffer;
  /** A view, not a copy. */
  raw(length: number): Buffer;
  text(limit: number): string;
  readonly done: boolean;
  readonly offset: number;
  /** From now on reads these bytes, from their start: cheaper than a new reader for each small record. */
  reset(bytes: Buffer): void;
}

export function byteWriter(capacity = 4096): ByteWriter {
  let buffer = Buffer.allocUnsafe(capacity);
  // Buffer's own methods for 64 bits take several times as long.
  let view = viewOf(buffer);
  let at = 0;
  const reserve = (length: number) => {
    if (at + length <= buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(buffer.length * 2, at + length));
    buffer.copy(grown, 0, 0, at);
    buffer = grown;
    view = viewOf(buffer);
  };
  const number = (value: number) => {
    reserve(9);
    let rest = value;
    while (rest >= 0x80) {
      buffer[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[at++] = rest;
  };
  const raw = (value: Uint8Array) => {
    reserve(value.length);
    buffer.set(value, at);
    at += value.length;
  };
  return {
    byte(value) {
      reserve(1);
      buffer[at++] = value;
    },
    number,
    int64(value) {
      reserve(8);
      view.setBigInt64(at, value, true);
      at += 8;
    },
    halves(low, high) {
      reserve(8);
      view.setInt32(at, low, true);
      view.setInt32(at + 4, high, true);
      at += 8;
    },
    int32(value) {
      reserve(4);
      view.setInt32(at, value, true);
      at += 4;
    },
    patch32: (place, value) => view.setInt32(place, value, true),
    bytes(value) {
      number(value.length);
      raw(value);
    },
    raw,
    copy(source, from, to) {
      reserve(to - from);
      // A call of the runtime takes as long as some dozens of bytes here.
      for (let next = from; next < to; next++) buffer[at++] = source[next] ?? 0;
    },
    text(value) {
      number(value.length);
      reserve(value.length);
      at += buffer.write(value, at, 'latin1');
    },
    get length() {
      return at;
    },
    view: () => buffer.subarray(0, at),
    take() {
      const taken = Buffer.from(buffer.subarray(0, at));
      at = 0;
      return taken;
    },
  };
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length);

export function byteReader(bytes: Buffer): ByteReader {
  let buffer = bytes;
  // Of all the memory that the bytes lie in: small records share it.
  let memory = new DataView(bytes.buffer);
  let at = 0;
  const advance = (length: number): number => {
    if (at + length > buffer.length) fail('ProtocolError', 'A message ends in the middle of a value');
    at += length;
    return at - length;
  };
  const raw = (length: number) => {
    const from = advance(length);
    return buffer.subarray(from, at);
  };
  const byte = () => buffer[advance(1)] ?? 0;
  const number = () => {
    let value = 0;
    let scale = 1;
    for (let read = 0; read < 8; read++) {
      const next = byte();
      value += (next & 0x7f) * scale;
      if (next < 0x80) return Number.isSafeInteger(value) ? value : fail('ProtocolError', 'A number is beyond 2^53');
      scale *= 0x80;
    }
    return fail('ProtocolError', 'A number is beyond 2^53');
  };
  const sized = (limit: number) => {
    const length = number();
    if (length > limit) fail('ProtocolError', `A value is longer than ${limit} bytes`);
    return length;
  };
  return {
    byte,
    number,
    int64: () => memory.getBigInt64(buffer.byteOffset + advance(8), true),
    bytes: (limit) => Buffer.from(raw(sized(limit))),
    raw,
    text(limit) {
      const length = sized(limit);
      const from = advance(length);
      return buffer.toString('latin1', from, at);
    },
    get done() {
      return at >= buffer.length;
    },
    get offset() {
      return at;
    },
    reset(next) {
      if (next.buffer !== buffer.buffer) memory = new DataView(next.buffer);
      buffer = next;
      at = 0;
    },
  };
}
