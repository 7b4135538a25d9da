import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRipe, type PackUsage, planDeletion, planMark } from './plan-collection.ts';

const mebibyte = 1024 * 1024;
const aPack = (id: string, usedShare: number, sizeBytes = 16 * mebibyte): PackUsage => ({
  id,
  sizeBytes,
  usedBlobs: usedShare === 0 ? 0 : 1,
  usedBytes: usedShare * sizeBytes,
});
const limits = { unusedShare: 0.05, repackBytes: 1024 * mebibyte };
const ids = (packs: readonly PackUsage[]) => packs.map(({ id }) => id);

describe('planMark', () => {
  it('takes what is not used at all, unless it is marked already', () => {
    const { unused, repack } = planMark([aPack('a', 0), aPack('b', 1), aPack('c', 0)], new Set(['c']), limits);
    assert.deepEqual([ids(unused), ids(repack)], [['a'], []]);
  });
  it('copies packs with most waste first, until little enough is wasted', () => {
    const packs = [aPack('half', 0.5), aPack('most', 0.9), aPack('little', 0.1), aPack('full', 1)];
    assert.deepEqual(ids(planMark(packs, new Set(), limits).repack), ['little', 'half']);
    assert.deepEqual(ids(planMark(packs, new Set(), { ...limits, unusedShare: 0.3 }).repack), ['little']);
    assert.deepEqual(ids(planMark(packs, new Set(), { ...limits, unusedShare: 2 }).repack), []);
  });
  it('copies no more than it may', () => {
    const packs = [aPack('half', 0.5), aPack('little', 0.1)];
    assert.deepEqual(ids(planMark(packs, new Set(), { ...limits, repackBytes: 2 * mebibyte }).repack), ['little']);
  });
  it('leaves small packs alone whose rest is their header', () => {
    assert.deepEqual(planMark([aPack('small', 0.5, 2000)], new Set(), limits).repack, []);
  });
});

describe('planDeletion', () => {
  it('removes only marked packs, and only what is still unused', () => {
    const packs = [aPack('a', 0), aPack('b', 1), aPack('new', 0)];
    const { remove, rescued } = planDeletion(packs, new Set(['a', 'b', 'gone']));
    assert.deepEqual([ids(remove), ids(rescued)], [['a'], ['b']]);
  });
});

describe('a mark is ripe', () => {
  const now = new Date('2026-01-01T01:00:00Z');
  const time = new Date('2026-01-01T00:00:00Z');
  const cases = [
    ['after its wait, when all that worked have ended', { time, holders: ['gone'] }, 3_600_000, true],
    ['not before', { time, holders: [] }, 3_600_001, false],
    ['not while one of them lives', { time, holders: ['gone', 'alive'] }, 0, false],
    ['not while nobody knows who worked', { time, holders: undefined }, 0, false],
  ] as const;
  for (const [title, mark, minWaitMs, expected] of cases)
    it(title, () => assert.equal(isRipe(mark, now, minWaitMs, new Set(['alive'])), expected));
});
