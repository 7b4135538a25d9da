import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppliedObject, ApplyResult } from '../../resources/apply/apply-objects.ts';
import { describeApplied } from './log-incoming.ts';

const applied = (result: ApplyResult, name: string): AppliedObject => ({
  ref: { group: '', version: 'v1', kind: 'ConfigMap', namespace: 'db', name },
  ...{ result, reason: 'because of a value: s3cret' },
});
const wave = { operation: 'u', migration: 'db/m', sender: { pair: 'stork-system/a' } };

describe('the log of what was applied', () => {
  it('has name, operation and pair, counts, and the first that were not written', () => {
    const some = [applied('Created', 'a'), applied('Created', 'b'), applied('Conflict', 'c')];
    assert.deepEqual(describeApplied(wave, some), {
      ...{ operation: 'u', migration: 'db/m', pair: 'stork-system/a' },
      ...{ Created: 2, Conflict: 1, left: ['ConfigMap db/c'] },
    });
  });

  it('is one short line, whatever went wrong', () => {
    const many = Array.from({ length: 500 }, (_, at) => applied('Failed', `n${at}`));
    assert.ok(JSON.stringify(describeApplied(wave, many)).length < 500);
  });
});
