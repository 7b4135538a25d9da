/**
 * The messages inside frames. Rare ones are JSON controls; items, wants, data and settled are binary and refer to an item by its
 * sequence number: both sides count entries and segments of the current volume in the order they were sent.
 * Whatever arrives is checked: sizes, ranges, names; `ProtocolError` otherwise.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { byteReader, byteWriter } from './byte-codec.ts';
import { hashBytes, tagBytes } from './content-hash.ts';
import { type Entry, readEntry, readPath, writeEntry } from './entry.ts';
import { blockStates, uniformStates } from './job.ts';
import { blockCount, segmentBytes } from './layout.ts';
import { fail } from './mover-error.ts';
import type { ByteString } from './syscalls.ts';

export type WireItem =
  | { readonly is: 'entry'; readonly entry: Entry; readonly sparse: boolean }
  /** `coming`: its content follows in a data frame without being asked for. */
  | { readonly is: 'segment'; readonly hash: Buffer; readonly coming: boolean }
  /** So many entries with their segments, beginning at this path, are what the receiver said it holds; nothing of its own lies between. */
  | { readonly is: 'same'; readonly path: ByteString; readonly entries: number };

export interface Want {
  readonly item: number;
  /** The tags of the receiver's blocks; undefined when it has nothing there. */
  readonly own: Uint8Array | undefined;
  /** Answer without the payload: the receiver only wants to know how much it is. */
  readonly countOnly: boolean;
}

export interface DataPart {
  readonly item: number;
  readonly hash: Uint8Array;
  readonly states: Uint8Array;
  readonly rawOffset: number;
  /** Of the sent blocks, when others stay at home. */
  readonly sentTag: Uint8Array | undefined;
}

export interface DataMessage {
  readonly parts: readonly DataPart[];
  readonly payload: Uint8Array;
  readonly compressed: boolean;
  readonly rawLength: number;
  /** The payload's length also when it was left out. */
  readonly payloadLength: number;
}

/** Raw bytes of one items message; more is split by the sender. */
export const itemsTargetBytes = 256 * 1024;
const itemsLimitBytes = 2 * 1024 * 1024;
export const wantsPerMessage = 64;
const itemTags = { entry: 0, sparseEntry: 1, segment: 2, comingSegment: 3, same: 4 } as const;
/** Entries in one run: a sender's window. */
export const sameLimit = 16_384;
const allBlocks = 3;
const partsLimit = 4096;

export interface ItemsEncoder {
  add(item: WireItem): void;
  readonly length: number;
  /** The message's chunks; `first` is the sequence number of the first item. */
  finish(first: number): readonly Uint8Array[];
}

export function itemsEncoder(): ItemsEncoder {
  const writer = byteWriter(itemsTargetBytes);
  return {
    add(item) {
      if (item.is === 'entry') {
        writer.byte(item.sparse ? itemTags.sparseEntry : itemTags.entry);
        writeEntry(writer, item.entry);
        return;
      }
      if (item.is === 'same') {
        writer.byte(itemTags.same);
        writer.text(item.path);
        writer.number(item.entries);
        return;
      }
      writer.byte(item.coming ? itemTags.comingSegment : itemTags.segment);
      writer.raw(item.hash);
    },
    get length() {
      return writer.length;
    },
    finish(first) {
      const raw = writer.take();
      const packed = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
      const header = byteWriter(32);
      header.number(first);
      header.number(raw.length);
      return [header.take(), packed];
    },
  };
}

export function decodeItems(payload: Buffer): { readonly first: number; readonly items: readonly WireItem[] } {
  const header = byteReader(payload);
  const first = header.number();
  const rawLength = header.number();
  if (rawLength > itemsLimitBytes) fail('ProtocolError', 'A list of items is too large');
  const packed = payload.subarray(header.offset);
  const raw = zstdDecompressSync(packed, { maxOutputLength: Math.max(1, rawLength) });
  if (raw.length !== rawLength) fail('ProtocolError', 'A list of items has not the length it says');
  const reader = byteReader(raw);
  const items: WireItem[] = [];
  while (!reader.done) {
    const tag = reader.byte();
    if (tag > itemTags.same) fail('ProtocolError', 'An item is of an unknown kind');
    if (tag === itemTags.same) items.push(readSame(reader));
    else if (tag <= itemTags.sparseEntry) {
      items.push({ is: 'entry', entry: readEntry(reader), sparse: tag === itemTags.sparseEntry });
    } else {
      items.push({ is: 'segment', hash: Buffer.from(reader.raw(hashBytes)), coming: tag === itemTags.comingSegment });
    }
  }
  return { first, items };
}

function readSame(reader: ReturnType<typeof byteReader>): WireItem {
  const path = readPath(reader);
  const entries = reader.number();
  if (entries === 0 || entries > sameLimit) fail('ProtocolError', 'A run of entries has an impossible length');
  return { is: 'same', path, entries };
}

export function encodeWants(wants: readonly Want[]): readonly Uint8Array[] {
  const writer = byteWriter(1024);
  writer.number(wants.length);
  for (const { item, own, countOnly } of wants) {
    writer.number(item);
    writer.byte(countOnly ? 1 : 0);
    writer.bytes(own ?? new Uint8Array(0));
  }
  return [writer.take()];
}

export function decodeWants(payload: Buffer): readonly Want[] {
  const reader = byteReader(payload);
  const count = reader.number();
  if (count > wantsPerMessage) fail('ProtocolError', 'Too many wants in one message');
  return Array.from({ length: count }, () => {
    const item = reader.number();
    const countOnly = reader.byte() === 1;
    const own = reader.bytes(blockCount(segmentBytes) * tagBytes);
    return { item, own: own.length === 0 ? undefined : own, countOnly };
  });
}

export function encodeData(message: DataMessage): readonly Uint8Array[] {
  const writer = byteWriter(4096);
  writer.number(message.parts.length);
  for (const part of message.parts) {
    writer.number(part.item);
    writer.raw(part.hash);
    writer.number(part.rawOffset);
    writeStates(writer, part.states);
    writeSentTag(writer, part);
  }
  writer.byte(message.compressed ? 1 : 0);
  writer.number(message.rawLength);
  writer.number(message.payloadLength);
  return [writer.take(), message.payload];
}

export function decodeData(payload: Buffer): DataMessage {
  const reader = byteReader(payload);
  const count = reader.number();
  if (count > partsLimit) fail('ProtocolError', 'Too many parts in one data message');
  const parts = Array.from({ length: count }, () => {
    const item = reader.number();
    const hash = Buffer.from(reader.raw(hashBytes));
    const rawOffset = reader.number();
    const states = readStates(reader);
    return { item, hash, rawOffset, states, sentTag: readSentTag(reader, states) };
  });
  const compressed = reader.byte() === 1;
  const rawLength = reader.number();
  const payloadLength = reader.number();
  const rest = payload.subarray(reader.offset);
  if (rest.length !== 0 && rest.length !== payloadLength) fail('ProtocolError', 'A payload has not the length it says');
  return { parts, compressed, rawLength, payloadLength, payload: rest };
}

/** Only where blocks stay at home. */
export function writeSentTag(
  writer: ReturnType<typeof byteWriter>,
  { states, sentTag }: Pick<DataPart, 'states' | 'sentTag'>,
): void {
  if (!states.includes(blockStates.same)) return;
  writer.raw(sentTag ?? fail('MoverFault', 'A part leaves out blocks and has no tag'));
}

export function readSentTag(reader: ReturnType<typeof byteReader>, states: Uint8Array): Buffer | undefined {
  return states.includes(blockStates.same) ? Buffer.from(reader.raw(tagBytes)) : undefined;
}

/** States of blocks as one byte when all are alike, else two bits each. */
export function writeStates(writer: ReturnType<typeof byteWriter>, states: Uint8Array): void {
  writer.number(states.length);
  const [first] = states;
  if (first !== undefined && states.every((state) => state === first)) {
    writer.byte(first);
    return;
  }
  writer.byte(allBlocks);
  const packed = new Uint8Array(Math.ceil(states.length / 4));
  for (const [at, state] of states.entries()) packed[at >> 2] = (packed[at >> 2] ?? 0) | (state << ((at & 3) * 2));
  writer.raw(packed);
}

export function readStates(reader: ReturnType<typeof byteReader>): Uint8Array {
  const count = reader.number();
  if (count > blockCount(segmentBytes)) fail('ProtocolError', 'A segment has too many blocks');
  const form = reader.byte();
  if (form !== allBlocks) return uniformStates(count, asState(form));
  const packed = reader.raw(Math.ceil(count / 4));
  return Uint8Array.from({ length: count }, (_, at) => asState(((packed[at >> 2] ?? 0) >> ((at & 3) * 2)) & 3));
}

const asState = (state: number): number =>
  state <= blockStates.sent ? state : fail('ProtocolError', 'A block has an unknown state');

export function encodeSettled(volume: number, settled: number): readonly Uint8Array[] {
  const writer = byteWriter(16);
  writer.number(volume);
  writer.number(settled);
  return [writer.take()];
}

export function decodeSettled(payload: Buffer): { readonly volume: number; readonly settled: number } {
  const reader = byteReader(payload);
  return { volume: reader.number(), settled: reader.number() };
}
