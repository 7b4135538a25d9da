/** The operations of a plan as records, in the order they must be carried out. */
import { type ByteReader, byteReader, byteWriter } from './byte-codec.ts';
import { type Entry, readEntry, writeEntry } from './entry.ts';
import { fail } from './mover-error.ts';
import type { ByteString } from './syscalls.ts';
import type { Placement, SegmentTarget } from './volume-sink.ts';

export type Operation =
  | { readonly do: 'remove' | 'makeDirectory'; readonly path: ByteString }
  | { readonly do: 'write'; readonly target: SegmentTarget; readonly placement: Placement }
  | { readonly do: 'create' | 'link' | 'finish'; readonly entry: Entry };

const words = ['remove', 'makeDirectory', 'write', 'create', 'link', 'finish'] as const;
const pathLimit = 65_536;

export function encodeOperation(operation: Operation): Uint8Array {
  const writer = byteWriter(256);
  writer.byte(words.indexOf(operation.do));
  switch (operation.do) {
    case 'remove':
    case 'makeDirectory':
      writer.text(operation.path);
      break;
    case 'write': {
      const { target, placement } = operation;
      writer.text(target.path);
      writer.number(target.size);
      writer.number(target.segment);
      writer.byte(target.overwrites ? 1 : 0);
      writer.number(placement.record);
      writer.number(placement.part);
      writer.byte(target.finish === undefined ? 0 : 1);
      if (target.finish !== undefined) writeEntry(writer, target.finish);
      break;
    }
    case 'create':
    case 'link':
    case 'finish':
      writeEntry(writer, operation.entry);
      break;
    default:
      operation satisfies never;
  }
  return writer.take();
}

export function decodeOperation(record: Buffer): Operation {
  const reader = byteReader(record);
  const word = words[reader.byte()];
  switch (word) {
    case 'remove':
    case 'makeDirectory':
      return { do: word, path: reader.text(pathLimit) };
    case 'write':
      return { do: word, ...readWrite(reader) };
    case 'create':
    case 'link':
    case 'finish':
      return { do: word, entry: readEntry(reader) };
    case undefined:
      return fail('StagingDamaged', 'The plan holds an unknown operation');
    default:
      return word satisfies never;
  }
}

function readWrite(reader: ByteReader): { readonly target: SegmentTarget; readonly placement: Placement } {
  const path = reader.text(pathLimit);
  const size = reader.number();
  const segment = reader.number();
  const overwrites = reader.byte() === 1;
  const placement = { record: reader.number(), part: reader.number() };
  const finish = reader.byte() === 1 ? readEntry(reader) : undefined;
  return { target: { path, size, segment, overwrites, finish }, placement };
}
