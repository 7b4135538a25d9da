import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addCounts, noTests, renderCounts } from './run-tests.ts';

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
});
