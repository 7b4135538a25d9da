import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Piece } from '../restore/restore-job.ts';
import { planReads, rangesBySegment } from './changed-blocks.ts';
import { blockBytes, encodeRecord, parseRecord, segmentBytes, segmentsOf } from './device-layout.ts';
import { parseMounts } from './device-users.ts';
import { planPieces, zeroBlockId } from './plan-pieces.ts';

const record = { sizeBytes: 3 * segmentBytes + 512, segmentBytes };
const parse = (change: object) =>
  parseRecord(Buffer.from(JSON.stringify({ ...JSON.parse(encodeRecord(record)), ...change })), 'device.json');

describe('the record of a raw device', () => {
  it('is read as it was written', () => {
    assert.deepEqual(parse({}), record);
    assert.deepEqual(parse({ more: 'of a later time' }), record);
  });

  const wrong: Readonly<Record<string, object>> = {
    'Field format': { format: 'a parcel' },
    'Field version': { version: 2 },
    'Field sizeBytes': { sizeBytes: -1 },
    'Field segmentBytes': { segmentBytes: 4096 },
    'more than 131072 segments': { sizeBytes: 2 ** 50 },
    'longer than 4096 bytes': { more: 'x'.repeat(5000) },
  };
  for (const [message, change] of Object.entries(wrong))
    it(`is refused by name: ${message}`, () =>
      assert.throws(() => parse(change), { code: 'RepositoryDamaged', message: new RegExp(message) }));
});

describe('the segments of a raw device', () => {
  it('follow one another, the last as long as the device leaves it', () =>
    assert.deepEqual(
      segmentsOf({ sizeBytes: 2 * segmentBytes + 1, segmentBytes }).map(({ name, offset, length }) => [
        name,
        offset,
        length,
      ]),
      [
        ['00000000', 0, segmentBytes],
        ['00000001', segmentBytes, segmentBytes],
        ['00000002', 2 * segmentBytes, 1],
      ],
    ));

  it('of an empty device are none', () => assert.deepEqual(segmentsOf({ sizeBytes: 0, segmentBytes }), []));
});

describe('the works of a restore', () => {
  const zeros: Piece = { id: zeroBlockId, length: blockBytes };
  const content = (length = blockBytes): Piece => ({ id: 'a'.repeat(64), length });

  it('leave no gap, keep zeros from what has to be fetched, and are bounded', () => {
    const pieces = [content(), ...Array<Piece>(2000).fill(zeros), ...Array<Piece>(100).fill(content()), content(7)];
    const works = [...planPieces(pieces, 1000)];
    let at = 1000;
    for (const { offset, length } of works) {
      assert.equal(offset, at);
      at += length;
    }
    assert.equal(at, 1000 + 2101 * blockBytes + 7);
    const parts = works.flatMap((work) => (work.is === 'content' ? work.pieces : []));
    assert.deepEqual(parts, [content(), ...Array<Piece>(100).fill(content()), content(7)]);
    for (const { is, length } of works) assert.ok(length <= (is === 'zeros' ? 64 : 4) * 1024 * 1024, `${length}`);
  });

  it('of nothing are none', () => assert.deepEqual([...planPieces([], 0)], []));
});

describe('the reads of a segment of which changes are known', () => {
  const segment = { offset: 8 * blockBytes, length: 4 * blockBytes + 100 };
  const range = (offset: number, length: number) => ({ offset, length });

  it('are whole blocks within it, merged and in order', () =>
    assert.deepEqual(
      planReads(segment, [
        range(12 * blockBytes + 50, 1),
        range(9 * blockBytes - 1, 2),
        range(10 * blockBytes, 1),
        range(0, 8 * blockBytes),
        range(13 * blockBytes, 5),
        range(11 * blockBytes, 0),
      ]),
      [range(8 * blockBytes, 3 * blockBytes), range(12 * blockBytes, 100)],
    ));

  it('are found by the number of the segment, of a range in all that it touches', () => {
    const [one, other] = [range(5, 10), range(95, 110)];
    assert.deepEqual(
      [...rangesBySegment([one, other], 100)],
      [
        [0, [one, other]],
        [1, [other]],
        [2, [other]],
      ],
    );
  });
});

describe('what the kernel says is mounted', () => {
  it('is read by device, place and whether the file system can change it', () =>
    assert.deepEqual(
      parseMounts(
        [
          '36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
          '37 35 7:3 / /read ro,relatime - ext4 /dev/loop3 ro',
          '',
        ].join('\n'),
      ),
      [
        { device: '98:0', place: '/mnt two', isReadOnly: false },
        { device: '7:3', place: '/read', isReadOnly: true },
      ],
    ));
});
