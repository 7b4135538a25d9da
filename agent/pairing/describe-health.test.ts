import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeCapacity, describeHealth } from './describe-health.ts';

const gibibyte = 1024 ** 3;

describe('the health of a pair', () => {
  const cases: readonly (readonly [string, string, string, number | undefined, string])[] = [
    ['the same version, clocks alike', 'v0.3.1', 'v0.3.0', 400, 'Healthy'],
    ['one version apart', 'v0.3.1', 'v0.4.0', undefined, 'Healthy'],
    ['two versions apart', 'v0.3.1', 'v0.5.0', 0, 'VersionSkew'],
    ['another major version', '1.0.0', '2.0.0', 0, 'VersionSkew'],
    ['a version that says nothing', 'v0.3.1', 'devel', 0, 'Healthy'],
    ['a clock ahead', 'v1.0.0', 'v1.0.0', 31_000, 'ClockSkew'],
    ['a clock behind', 'v1.0.0', 'v1.0.0', -300_000, 'ClockSkew'],
  ];
  for (const [what, ownVersion, peerVersion, clockSkewMs, reason] of cases)
    it(`${what}: ${reason}`, () =>
      assert.equal(describeHealth({ ownVersion, peerVersion, clockSkewMs }).reason, reason));

  it('says which way the clock is off', () => {
    const { message } = describeHealth({ ownVersion: '', peerVersion: '', clockSkewMs: -300_400 });
    assert.match(message, /300 s behind ours/);
  });
});

describe("the peer's free space", () => {
  it('is told by class, unknown where its storage says nothing, and moves only when it moved much', () => {
    const first = describeCapacity(undefined, [{ name: 'fast', freeBytes: String(100 * gibibyte) }, { name: 'slow' }]);
    assert.equal(first.capacity, 'fast 100Gi, slow unknown');
    const before = { fingerprint: 'x'.repeat(16), cluster: '', version: '', ...first };
    const little = describeCapacity(before, [{ name: 'fast', freeBytes: String(95 * gibibyte) }, { name: 'slow' }]);
    assert.deepEqual(little, first);
    const much = describeCapacity(before, [{ name: 'fast', freeBytes: String(80 * gibibyte) }]);
    assert.equal(much.capacity, 'fast 80Gi');
  });

  it('stays as last heard while the peer says nothing, and many classes are cut short', () => {
    assert.deepEqual(describeCapacity(undefined, undefined), {});
    const many = Array.from({ length: 10 }, (_, at) => ({ name: `c${at}` }));
    const told = describeCapacity(undefined, many);
    assert.match(told.capacity ?? '', /c7 unknown, 2 more$/);
    const before = { fingerprint: 'x'.repeat(16), cluster: '', version: '', ...told };
    assert.deepEqual(describeCapacity(before, undefined), told);
  });
});
