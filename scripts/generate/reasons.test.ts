import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { programReasons } from './generate-errors.ts';
import { reasonAdvice } from './reason-advice.ts';

describe('codes and reasons', () => {
  const reasons = programReasons();

  it('each says what to do: by a hint where it is decided, or by a line in reason-advice.ts', () => {
    const silent = [...reasons]
      .filter(([code, all]) => reasonAdvice[code] === undefined && all.every(({ hint }) => hint === undefined))
      .map(([code, [first]]) => `${code} (${first?.path})`);
    assert.deepEqual(silent, [], 'give the error a hint, or add a line to scripts/generate/reason-advice.ts');
  });

  it('no advice is about a code that is gone', () => {
    assert.deepEqual(
      Object.keys(reasonAdvice).filter((code) => !reasons.has(code)),
      [],
    );
  });

  it('finds codes in errors, conditions and outcomes of stages', () => {
    for (const code of [
      'SnapshotClassMissing',
      'AwaitingConfirmation',
      'KubeconfigRefused',
      'ClusterPairNotReady',
      'GrantRefused',
    ])
      assert.ok(reasons.has(code), code);
  });
});
