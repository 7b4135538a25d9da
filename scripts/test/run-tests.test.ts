import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addCounts, describeFailure, noTests, renderCounts } from './run-tests.ts';

describe('test counts', () => {
  it('add up field by field', () => {
    const a = { ...noTests, tests: 3, passed: 2, failed: 1 };
    assert.deepEqual(addCounts(a, { ...a, skipped: 1 }), { ...noTests, tests: 6, passed: 4, failed: 2, skipped: 1 });
  });

  it("close like node's runner", () => {
    const lines = renderCounts({ ...noTests, tests: 5, passed: 4, failed: 1 }, 12.4).split('\n');
    assert.ok(lines.includes('# pass 4') && lines.includes('# fail 1'));
    assert.equal(lines.at(-1), '# duration_ms 12');
  });

  it('tell of a failed test why, and not of the suite around it', () => {
    const failure = (failureType: string, cause: unknown) =>
      describeFailure({
        name: 'holds',
        details: { error: Object.assign(new Error('1 failed', { cause }), { failureType }) },
      });
    assert.match(failure('testCodeFailure', new Error('3 is not 4')) ?? '', /^✖ holds\n.*\n3 is not 4\n/);
    assert.match(failure('testTimeoutFailure', undefined) ?? '', /1 failed$/);
    assert.equal(failure('subtestsFailed', '1 subtest failed'), undefined);
  });
});
