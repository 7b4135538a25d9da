import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decidePlan } from './decide-initial.ts';

describe("what the destination's answer means", () => {
  const purge = [{ field: 'spec.purgeDeletedResources', feature: 'purge' }];
  it('refuses a field by name that an older agent there does not know', () => {
    const [refusal] = decidePlan({ claims: [], problems: [], features: undefined }, purge);
    assert.equal(refusal?.code, 'PeerTooOld');
    assert.match(refusal?.message ?? '', /spec.purgeDeletedResources/);
  });
  it('is nothing to refuse when it knows the field', () => {
    assert.deepEqual(decidePlan({ claims: [], problems: [], features: ['purge', 'more'] }, purge), []);
  });
});
