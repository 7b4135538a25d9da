/**
 * How a raw device lies in a restore point: a directory with its name, in it `device.json`, and for each GiB a directory with one file,
 * `00000000/00000000.seg`: one behind the other, as any reader restores them, they are the device's image. A directory for each segment,
 * because a tree is one JSON document with every block's id (0.55 MB a GiB): a segment that did not change keeps its tree.
 */

import { readJson } from '../format/read-json.ts';
import { failDamaged } from '../repository-error.ts';

export const segmentBytes = 1024 ** 3;
/** Aligned to the device's begin; a change anywhere in one stores it again. */
export const blockBytes = 128 * 1024;
export const recordName = 'device.json';

/** What `device.json` says: checked against what there is whenever a device is read. */
export interface DeviceRecord {
  readonly sizeBytes: number;
  readonly segmentBytes: number;
}

const format = 'stork raw device';
const version = 1;
/** A hundred TiB in segments of 1 GiB, and then some: a tree with this many directories takes 32 MB. */
const segmentLimit = 131_072;
export const deviceLimitBytes = segmentLimit * segmentBytes;
export const recordLimitBytes = 4096;

/** The same bytes for the same device: no times. */
export const encodeRecord = ({ sizeBytes, segmentBytes: segment }: DeviceRecord): string =>
  `${JSON.stringify({ format, version, sizeBytes, segmentBytes: segment, blockBytes })}\n`;

/** @throws `RepositoryDamaged` naming the field */
export function parseRecord(json: Uint8Array, about: string): DeviceRecord {
  if (json.length > recordLimitBytes) failDamaged(`It is longer than ${recordLimitBytes} bytes`, about);
  const read = readJson(json, about);
  if (read.text('format', 64) !== format) failDamaged(`Field format is not ${JSON.stringify(format)}`, about);
  if (read.count('version') !== version)
    failDamaged(`Field version is ${read.count('version')}: a newer stork-agent wrote it, or it is damaged`, about);
  const record = { sizeBytes: read.count('sizeBytes'), segmentBytes: read.count('segmentBytes') };
  const isWhole = record.segmentBytes > 0 && record.segmentBytes % blockBytes === 0;
  if (!isWhole) failDamaged(`Field segmentBytes is no multiple of ${blockBytes}`, about);
  if (Math.ceil(record.sizeBytes / record.segmentBytes) > segmentLimit)
    failDamaged(`Field sizeBytes is of more than ${segmentLimit} segments`, about);
  return record;
}

export interface Segment {
  /** Of its directory, and of the file in it with `.seg`. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

export const fileOf = ({ name }: Pick<Segment, 'name'>): string => `${name}.seg`;

/** In order; none of an empty device. */
export function segmentsOf({ sizeBytes, segmentBytes: each }: DeviceRecord): readonly Segment[] {
  return Array.from({ length: Math.ceil(sizeBytes / each) }, (_, number) => ({
    name: String(number).padStart(8, '0'),
    offset: number * each,
    length: Math.min(each, sizeBytes - number * each),
  }));
}
