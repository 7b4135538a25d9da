import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideRenewal } from './decide-renewal.ts';

const now = new Date('2026-01-10T00:00:00Z');
const terms = { now, days: 30, withinDays: 10, mode: 'GOVERNANCE' } as const;
const until = new Date('2026-02-09T00:00:00Z');
const lockUntil = (text: string) => ({ mode: 'COMPLIANCE', until: new Date(text) }) as const;

describe('a lock', () => {
  for (const [what, end, decision] of [
    ['that ends later than soon stays', '2026-01-20T00:00:00Z', 'Keep'],
    ['that ends soon gets longer', '2026-01-19T23:59:59Z', 'Extend'],
    ['that ended is set again', '2025-12-01T00:00:00Z', 'Extend'],
    ['that ends later than a new one would stays', '2027-01-01T00:00:00Z', 'Keep'],
  ] as const)
    it(what, () => {
      const lock = lockUntil(end);
      const expected = decision === 'Keep' ? lock : { mode: 'COMPLIANCE', until };
      assert.deepEqual(decideRenewal(lock, terms), { do: decision, lock: expected });
    });

  it('is never made shorter, whatever is asked', () => {
    const lock = lockUntil('2026-01-12T00:00:00Z');
    assert.equal(decideRenewal(lock, { ...terms, days: 1, withinDays: 10 }).do, 'Keep');
  });

  it('is set where there is none, in the mode that was asked for', () => {
    assert.deepEqual(decideRenewal(undefined, terms), { do: 'Lock', lock: { mode: 'GOVERNANCE', until } });
  });

  it('that was set a moment ago is not set again', () => {
    for (const withinDays of [1, 29]) {
      const { lock } = decideRenewal(undefined, { ...terms, withinDays });
      assert.equal(decideRenewal(lock, { ...terms, withinDays, now: new Date(now.getTime() + 1000) }).do, 'Keep');
    }
  });
});
