import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  blockTag,
  blockTags,
  blockTagsIn,
  hashSegment,
  keyedBytes,
  segmentSum,
  segmentTags,
  segmentTagsBytes,
  zeroSegmentHashes,
} from './content-hash.ts';
import { blockBytes, segmentBytes } from './layout.ts';
import { chanceBytes, seededChance } from './testing/test-volumes.ts';

const one = Buffer.alloc(16, 1);
const other = Buffer.alloc(16, 2);
const content = chanceBytes(seededChance(5), segmentBytes);

describe('hashes of contents', () => {
  it('are the same in pieces and at once, and notice a single bit', () => {
    for (const length of [1, blockBytes, blockBytes + 1, 1_000_004, segmentBytes]) {
      const bytes = content.subarray(0, length);
      const sum = segmentSum(one, length);
      for (let at = 0; at < length; at += 70_000) sum.add(bytes.subarray(at, at + 70_000));
      assert.deepEqual(sum.finish(), hashSegment(one, bytes));
      const changed = Buffer.from(bytes);
      changed[length - 1] = (changed[length - 1] ?? 0) ^ 1;
      const [before, after] = [hashSegment(one, bytes), hashSegment(one, changed)];
      for (const half of [0, keyedBytes])
        assert.notDeepEqual(before.subarray(half, half + keyedBytes), after.subarray(half, half + keyedBytes));
    }
  });

  it('have a secret half and one that outlasts the run', () => {
    const [mine, later] = [hashSegment(one, content), hashSegment(other, content)];
    assert.notDeepEqual(mine.subarray(0, keyedBytes), later.subarray(0, keyedBytes));
    assert.deepEqual(mine.subarray(keyedBytes), later.subarray(keyedBytes));
    assert.notDeepEqual(mine.subarray(0, keyedBytes), mine.subarray(keyedBytes));
  });

  it('tell zeros of one length from those of another, and blocks from one another', () => {
    const zeros = zeroSegmentHashes(one);
    for (const length of [5, blockBytes + 5, segmentBytes])
      for (const _again of [1, 2]) assert.deepEqual(zeros(length), hashSegment(one, Buffer.alloc(length)));
    assert.notDeepEqual(zeros(segmentBytes), zeros(segmentBytes - 1));
    assert.equal(blockTag(one, Buffer.alloc(0)).length, 16);
    const tags = blockTags(one, content);
    assert.deepEqual(tags.subarray(16, 32), blockTag(one, content.subarray(blockBytes, 2 * blockBytes)));
    assert.notDeepEqual(tags.subarray(0, 16), tags.subarray(16, 32));
  });

  it('remembered of a segment are the same whatever was known before', () => {
    for (const length of [1, blockBytes, 16 * blockBytes, 16 * blockBytes + 1, 17 * blockBytes, segmentBytes]) {
      const bytes = Buffer.from(content.subarray(0, length));
      const before = segmentTags(one, bytes, undefined);
      assert.equal(before.length, segmentTagsBytes(length));
      assert.deepEqual(Buffer.from(blockTagsIn(before)), blockTags(one, bytes));
      bytes[length >> 1] = (bytes[length >> 1] ?? 0) ^ 1;
      const after = segmentTags(one, bytes, undefined);
      assert.deepEqual(segmentTags(one, bytes, before), after);
      assert.deepEqual(segmentTags(one, bytes, before.subarray(0, 16)), after);
      assert.deepEqual(Buffer.from(blockTagsIn(after)), blockTags(one, bytes));
    }
  });
});
