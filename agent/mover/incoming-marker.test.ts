import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { beginUpdate } from './incoming-marker.ts';
import { openSyscalls } from './syscalls.ts';
import { scratch } from './testing/test-volumes.ts';

function markedRoot(rootTimes: readonly (bigint | undefined)[], whatKilledMoverLeft?: string) {
  using space = scratch();
  const root = space.path('volume');
  const mark = `${root}/.stork-incoming`;
  mkdirSync(root);
  if (whatKilledMoverLeft !== undefined) writeFileSync(mark, whatKilledMoverLeft);
  utimesSync(root, 1000, 3000);
  beginUpdate([{ name: 'volume', path: root, kind: 'files' }], { run: 'run', syscalls: openSyscalls(), rootTimes });
  return { mark: readFileSync(mark, 'utf8'), mtimeNs: lstatSync(root, { bigint: true }).mtimeNs };
}

describe('a root that is marked for an update', () => {
  it('keeps its time', () => {
    assert.deepEqual(markedRoot([undefined]), { mark: 'run', mtimeNs: 3_000_000_000_000n });
  });

  it('gets back the time that the plan found, when a mover was killed before it could set it', () => {
    assert.deepEqual(markedRoot([2_000_500_000_001n], 'run'), { mark: 'run', mtimeNs: 2_000_500_000_001n });
  });
});
