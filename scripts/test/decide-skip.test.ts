import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideSkip } from './decide-skip.ts';

describe('decideSkip', () => {
  const host = { platform: 'linux', arch: 'x64', isRoot: true };
  it('lets everything run for root on linux x64', () => {
    assert.equal(decideSkip('Root', host), undefined);
    assert.equal(decideSkip('Linux', host), undefined);
  });
  it('lets what needs nothing run everywhere', () => {
    assert.equal(decideSkip(undefined, { platform: 'darwin', arch: 'arm64', isRoot: false }), undefined);
  });
  it('says what is missing', () => {
    assert.match(decideSkip('Root', { ...host, isRoot: false }) ?? '', /needs root/);
    assert.equal(decideSkip('Linux', { ...host, isRoot: false }), undefined);
    assert.match(decideSkip('Linux', { ...host, arch: 'arm64' }) ?? '', /linux x64, this is linux arm64/);
  });
});
