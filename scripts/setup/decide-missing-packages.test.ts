import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideMissingPackages } from './decide-missing-packages.ts';

describe('decideMissingPackages', () => {
  it('names each missing package once, in order', () => {
    const missing = decideMissingPackages(['runc', 'socat', 'runc', 'openssl'], new Set(['socat']), {
      goIsPresent: false,
    });
    assert.deepEqual(missing, ['runc', 'openssl']);
  });

  it('does not ask for a second Go', () => {
    assert.deepEqual(decideMissingPackages(['golang-go'], new Set(), { goIsPresent: true }), []);
    assert.deepEqual(decideMissingPackages(['golang-go'], new Set(), { goIsPresent: false }), ['golang-go']);
  });
});
