import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesIntegrity } from './fetch-runtime.ts';
import { builderOf, executables, runtimes } from './targets.ts';

describe('pinned runtimes', () => {
  it('are pinned by a sha512 and exact version each', () => {
    for (const { integrity, version } of runtimes) {
      assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/);
      assert.match(version, /^\d+\.\d+\.\d+$/);
    }
  });

  it('cover every platform users were promised', () => {
    assert.deepEqual(
      executables.map(({ file }) => file),
      [
        'stork-agent-linux-x64',
        'stork-agent-linux-arm64',
        'kubectl-stork-linux-x64',
        'kubectl-stork-linux-arm64',
        'kubectl-stork-darwin-x64',
        'kubectl-stork-darwin-arm64',
        'kubectl-stork-windows-x64.exe',
        'kubectl-stork-windows-arm64.exe',
      ],
    );
  });

  it('are assembled by a runtime of their own version', () => {
    for (const { runtime } of executables) assert.equal(builderOf(runtime).version, runtime.version);
  });
});

describe('matchesIntegrity', () => {
  it('accepts the digest of the bytes and nothing else', () => {
    const integrity = 'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==';
    assert.equal(matchesIntegrity(new Uint8Array(), integrity), true);
    assert.equal(matchesIntegrity(new Uint8Array([0]), integrity), false);
  });
});
