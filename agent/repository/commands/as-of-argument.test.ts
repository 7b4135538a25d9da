import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAsOf } from './as-of-argument.ts';

const now = new Date('2026-11-21T20:00:00Z');

describe('--as-of', () => {
  for (const [text, time] of [
    ['2026-11-21T19:30:00Z', '2026-11-21T19:30:00.000Z'],
    ['2026-11-21 19:30:00+02:00', '2026-11-21T17:30:00.000Z'],
    ['2026-11-21T19:30:00.250Z', '2026-11-21T19:30:00.250Z'],
    ['2h', '2026-11-21T18:00:00.000Z'],
    ['1m2d', '2026-10-19T20:00:00.000Z'],
  ] as const)
    it(`takes ${text}`, () => assert.equal(parseAsOf(text, now).toISOString(), time));

  for (const text of [
    '2026-11-21T19:30:00',
    '2026-11-21',
    'yesterday',
    '',
    '2h ago',
    '2026-13-01T00:00:00Z',
    '2027-01-01T00:00:00Z',
  ])
    it(`refuses ${JSON.stringify(text)}: a time has its zone and is not to come`, () =>
      assert.throws(() => parseAsOf(text, now), { code: 'ArgumentInvalid' }));
});
