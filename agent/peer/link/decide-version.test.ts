import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideVersion, type ProtocolRange, rangeOf } from './decide-version.ts';

const range = (oldest: number, newest: number): ProtocolRange => ({ oldest, newest });

describe('versions of the pair protocol', () => {
  const cases: readonly (readonly [string, ProtocolRange, ProtocolRange, string])[] = [
    ['the same', range(1, 1), range(1, 1), 'Speak'],
    ['one newer, which speaks ours too', range(1, 1), range(1, 2), 'Speak'],
    ['one older, which we speak too', range(2, 3), range(1, 2), 'Speak'],
    ['two newer', range(1, 1), range(2, 3), 'VersionTooNew'],
    ['two older', range(2, 3), range(1, 1), 'VersionTooOld'],
  ];
  for (const [what, own, theirs, expected] of cases)
    it(`${what}: ${expected}`, () => {
      const decided = decideVersion(own, theirs);
      assert.equal(decided === 'Speak' ? decided : decided.code, expected);
    });

  it('a peer that names no oldest speaks the version before its newest', () => {
    assert.deepEqual(rangeOf({ protocol: 3 }), range(2, 3));
    assert.deepEqual(rangeOf({ protocol: 1 }), range(1, 1));
    assert.deepEqual(rangeOf({ protocol: 4, oldestProtocol: 1 }), range(1, 4));
  });
});
