/** For tests: feeds parsers of the repository with damaged documents. Whoever can write to the bucket chose these bytes. */

import { StorkError } from '../../../kube/errors.ts';
import { parseConfig } from '../format/config.ts';
import { parseIndex } from '../format/index-file.ts';
import { openKeyFile } from '../format/key-file.ts';
import { encodePackEnd, parsePackHeader, readHeaderLength } from '../format/pack.ts';
import { parseSnapshot } from '../format/snapshot.ts';
import { readTree } from '../format/tree.ts';
import { unsealDocument } from '../format/unpacked.ts';
import { parseLock } from '../locks/lock-document.ts';
import { testKey } from './write-restore-point.ts';

const id = 'ab'.repeat(32);
const blob = { id, type: 'data', offset: 0, length: 100, uncompressed_length: 300 };
const node = {
  name: 'n',
  type: 'file',
  mode: 420,
  mtime: '2026-01-01T00:00:00.5+01:00',
  size: 3,
  inode: 5,
  content: [id],
};
const directory = { name: 'o', type: 'dir', subtree: id, extended_attributes: [{ name: 'user.a', value: 'AAAA' }] };

/** A good document of each kind, and its parser. */
const subjects: readonly { readonly name: string; readonly good: Buffer; parse(bytes: Buffer): unknown }[] = [
  {
    name: 'index',
    good: json({ packs: [{ id, blobs: [blob, { ...blob, type: 'tree', uncompressed_length: 0 }] }] }),
    parse: (bytes) => parseIndex(bytes, 'index'),
  },
  {
    name: 'tree',
    good: Buffer.from(`${JSON.stringify({ nodes: [node, directory] })}\n`),
    parse: (bytes) => [...readTree(bytes, 'tree')],
  },
  {
    name: 'snapshot',
    good: json({
      time: '2026-01-01T00:00:00Z',
      tree: id,
      paths: ['/a'],
      hostname: 'h',
      username: 'u',
      uid: 1,
      tags: ['t'],
    }),
    parse: (bytes) => parseSnapshot(bytes, 'snapshot'),
  },
  {
    name: 'config',
    good: json({ version: 2, id, chunker_polynomial: '25b468838dcb75' }),
    parse: (bytes) => parseConfig(bytes),
  },
  {
    name: 'lock',
    good: json({
      ...{ time: '2026-01-01T00:00:00Z', exclusive: true, hostname: 'h', username: 'u', pid: 7 },
      stork: { holder: 'x', role: 'writer', pidSpace: 'y' },
    }),
    parse: (bytes) => parseLock(bytes, 'lock'),
  },
  {
    name: 'key',
    // Costs small enough for a test; what is asked beyond the limits must be refused before it is spent.
    good: json({ kdf: 'scrypt', N: 2, r: 1, p: 1, salt: 'AAAA', data: Buffer.alloc(96).toString('base64') }),
    parse: (bytes) => openKeyFile(bytes, 'x', 'key'),
  },
  {
    name: 'sealed document',
    good: Buffer.alloc(64, 2),
    parse: (bytes) => unsealDocument(testKey, bytes, 'document'),
  },
  {
    name: 'pack',
    good: encodePackEnd(
      testKey,
      [{ id, type: 'data', offset: 0, length: 100, uncompressedLength: 300 }],
      Buffer.alloc(16),
    ),
    parse(bytes) {
      const length = readHeaderLength(bytes.subarray(-4), bytes.length, 'pack');
      return parsePackHeader(
        testKey,
        bytes.subarray(bytes.length - 4 - length, bytes.length - 4),
        bytes.length,
        'pack',
      );
    },
  },
];

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export interface FuzzResult {
  readonly tried: number;
  readonly accepted: number;
  /** Anything but a value or a StorkError. */
  readonly crashes: readonly string[];
}

/** Damages each good document `times` times, as `random` says. */
export function fuzzParsers(times: number, random: () => number): FuzzResult {
  const [crashes, counts] = [[] as string[], { tried: 0, accepted: 0 }];
  for (const { name, good, parse } of subjects)
    for (let time = 0; time < times; time++) {
      const bytes = damage(good, random);
      counts.tried++;
      try {
        parse(bytes);
        counts.accepted++;
      } catch (error) {
        if (!(error instanceof StorkError)) crashes.push(`${name}: ${String(error)} on ${bytes.toString('base64')}`);
      }
    }
  return { ...counts, crashes };
}

const tokens = [
  'null',
  '-1',
  '1e400',
  '""',
  '[]',
  '{}',
  '"\\ud800"',
  '9007199254740993',
  '4294967296',
  'true',
  '{',
  '"',
  ',',
];

function damage(good: Buffer, random: () => number): Buffer {
  let bytes: Buffer = Buffer.from(good);
  const pick = (count: number) => Math.floor(random() * count);
  for (let changes = 1 + pick(3); changes > 0; changes--) {
    const at = pick(bytes.length + 1);
    switch (pick(5)) {
      case 0:
        if (bytes.length > 0) bytes[Math.min(at, bytes.length - 1)] = pick(256);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(pick(bytes.length + 1))]);
        break;
      case 3:
        bytes = replaceValue(bytes, tokens[pick(tokens.length)] ?? '', pick);
        break;
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(tokens[pick(tokens.length)] ?? ''),
          bytes.subarray(at),
        ]);
    }
  }
  return Buffer.from(bytes);
}

/** Another value in the place of one of a JSON document's. */
function replaceValue(bytes: Buffer, token: string, pick: (count: number) => number): Buffer {
  const text = bytes.toString('latin1');
  const values = [...text.matchAll(/:("[^"]*"|\d+|true|null)/g)];
  const chosen = values[pick(values.length)];
  if (chosen === undefined) return bytes;
  const end = chosen.index + chosen[0].length;
  return Buffer.from(`${text.slice(0, chosen.index)}:${token}${text.slice(end)}`, 'latin1');
}
