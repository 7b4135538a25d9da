import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBytes, parseMilli } from './quantity.ts';

const cases: readonly (readonly [string, bigint])[] = [
  ['0', 0n],
  ['1Gi', 1n << 30n],
  ['1.5Gi', 3n << 29n],
  ['2Ti', 1n << 41n],
  ['500M', 500_000_000n],
  ['1e3', 1000n],
  ['1.5e3', 1500n],
  ['100m', 1n],
  ['16Ei', 1n << 64n],
  ['9007199254740993', 9007199254740993n],
];

describe('parseBytes', () => {
  for (const [text, bytes] of cases) it(`reads ${text}`, () => assert.equal(parseBytes(text), bytes));
  for (const text of ['', '1GB', '-1', '1 Gi', 'Gi'])
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseBytes(text), { code: 'InvalidQuantity' }));
});

describe('parseMilli', () => {
  for (const [text, milli] of [
    ['250m', 250n],
    ['1', 1000n],
    ['1.5', 1500n],
    ['1Ki', 1_024_000n],
  ] as const)
    it(`reads ${text}`, () => assert.equal(parseMilli(text), milli));
});
