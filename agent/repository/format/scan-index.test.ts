import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeIndex, type IndexedPack, parseIndex } from './index-file.ts';
import { idOf } from './object-id.ts';
import type { PackedBlob } from './pack.ts';
import { scanIndex } from './scan-index.ts';

const idOfNumber = (number: number) => idOf(Buffer.from(`${number}`));
const blobOf = (number: number): PackedBlob => ({
  id: idOfNumber(number),
  type: number % 3 === 0 ? 'tree' : 'data',
  offset: number * 1000,
  length: 100 + number,
  uncompressedLength: number % 5 === 0 ? undefined : 10_000 + number,
});
const packs: readonly IndexedPack[] = [3000, 1, 17].map((count, pack) => ({
  id: idOfNumber(-pack - 1),
  blobs: Array.from({ length: count }, (_, at) => blobOf(at + 10_000 * pack)),
}));

function scan(json: string, wanted: (pack: string) => boolean = () => true) {
  const found: { id: string; blobs: PackedBlob[] }[] = [];
  const isScanned = scanIndex(Buffer.from(json), 'index', {
    pack(id) {
      found.push({ id, blobs: [] });
      return wanted(id);
    },
    blob: (id, blob) => void found.at(-1)?.blobs.push({ id: Buffer.from(id).toString('hex'), ...blob }),
  });
  return { isScanned, found };
}

describe('an index that is gone through', () => {
  const json = encodeIndex(packs).toString();

  it('has what it has when it is parsed', () => {
    assert.deepEqual(scan(json), { isScanned: true, found: parseIndex(Buffer.from(json), 'index') });
    // restic ends it with a line.
    assert.equal(scan(`${json}\n`).isScanned, true);
  });

  it('passes over packs that nobody wants', () => {
    const [first, second, third] = scan(json, (id) => id === packs[1]?.id).found;
    assert.deepEqual([first?.blobs, second?.blobs, third?.blobs], [[], packs[1]?.blobs, []]);
  });

  it('is left to who parses it in any other form', () => {
    const one = encodeIndex(packs.slice(1, 2)).toString();
    const others = {
      'superseded ones': one.replace('{', `{"supersedes":["${idOfNumber(1)}"],`),
      'another order': one.replace(/("type":"[a-z]+"),("offset":\d+)/, '$2,$1'),
      space: one.replace(':', ': '),
      'a pack without blobs': one.replace(/"blobs":\[.*\]\}/, '"blobs":[]}'),
      'no packs': '{"packs":[]}',
      'an id that is none': one.replace(/"id":"./, '"id":"g'),
      'an id in capitals': one.replace(packs[1]?.blobs[0]?.id ?? '', 'A'.repeat(64)),
      'a number that is too large': one.replace(/"offset":\d+/, '"offset":12345678901234567'),
      'a number below zero': one.replace(/"length":/, '"length":-'),
      'a type that nobody knows': one.replace(/"type":"[a-z]+"/, '"type":"door"'),
      'its end': one.slice(0, -1),
      more: `${one}x`,
    };
    for (const [what, other] of Object.entries(others)) {
      assert.notEqual(other, one, what);
      assert.equal(scan(other).isScanned, false, what);
    }
  });

  it('is damaged when a blob has an impossible size', () => {
    for (const length of [31, 513 * 1024 * 1024]) {
      const bad = encodeIndex([{ id: idOfNumber(1), blobs: [{ ...blobOf(1), length }] }]).toString();
      assert.throws(() => scan(bad), { code: 'RepositoryDamaged' });
    }
  });
});
