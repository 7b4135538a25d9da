/** A bundle on its way: plain entries as records of a tree file, with their contents. What arrives is checked; `ProtocolError` otherwise. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { byteReader, byteWriter } from './byte-codec.ts';
import type { RecordPack } from './job.ts';
import { fail } from './mover-error.ts';
import { packLimitBytes } from './pack-codec.ts';
import type { RecordRun } from './tree-record.ts';

export interface BundleMessage {
  /** Its number among the items of the volume. */
  readonly item: number;
  /** Of one piece. */
  readonly run: RecordRun;
  readonly pack: RecordPack;
}

const recordsLimitBytes = 2 * 1024 * 1024;
const recordsLimit = 16_384;

export function encodeBundle({ item, run, pack }: BundleMessage): readonly Uint8Array[] {
  const raw = Buffer.concat([...run.pieces, pack.states]);
  const packed = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const header = byteWriter(128);
  for (const number of [item, run.entries, run.records, run.bytes, raw.length - pack.states.length, pack.states.length])
    header.number(number);
  header.byte(pack.compressed ? 1 : 0);
  header.number(pack.rawLength);
  header.number(packed.length);
  return [header.take(), packed, pack.payload];
}

export function decodeBundle(message: Buffer): BundleMessage {
  const reader = byteReader(message);
  const [item, entries, records, bytes] = [reader.number(), reader.number(), reader.number(), reader.number()];
  const [recordBytes, stateBytes] = [reader.number(), reader.number()];
  const compressed = reader.byte() === 1;
  const rawLength = reader.number();
  const packed = reader.raw(reader.number());
  const payload = message.subarray(reader.offset);
  if (recordBytes + stateBytes > recordsLimitBytes || entries > recordsLimit || records > 2 * entries)
    fail('ProtocolError', 'A bundle is too large');
  if (rawLength > packLimitBytes) fail('ProtocolError', 'A pack is larger than a segment');
  const raw = zstdDecompressSync(packed, { maxOutputLength: Math.max(1, recordBytes + stateBytes) });
  if (raw.length !== recordBytes + stateBytes) fail('ProtocolError', 'A bundle has not the length it says');
  const pieces = [raw.subarray(0, recordBytes)];
  const pack = { payload, compressed, rawLength, states: raw.subarray(recordBytes) };
  return { item, run: { pieces, entries, records, bytes }, pack };
}
