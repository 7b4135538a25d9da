import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { beginUpdate, endIncoming, findMark } from './incoming-marker.ts';
import { openSyscalls, type Syscalls } from './syscalls.ts';
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

describe('a root whose mark is taken away', () => {
  const spec = (path: string) => ({ name: 'volume', path, kind: 'files' }) as const;

  const run = 'run of 1';

  function marked(root: string): Syscalls {
    const syscalls = openSyscalls();
    mkdirSync(root);
    utimesSync(root, 1000, 3000);
    beginUpdate([spec(root)], { run, syscalls, rootTimes: [undefined] });
    return syscalls;
  }

  it('keeps its time, and nothing of the mark is left', () => {
    using space = scratch();
    const root = space.path('volume');
    const syscalls = marked(root);
    endIncoming(spec(root), { run, syscalls });
    assert.equal(lstatSync(root, { bigint: true }).mtimeNs, 3_000_000_000_000n);
    assert.equal(findMark(root, syscalls), undefined);
    assert.deepEqual(syscalls.listXattrs(root), []);
  });

  for (const step of ['setXattr', 'setMtime', 'removeXattr'] as const) {
    it(`keeps its time when the mover is killed before ${step}`, (test) => {
      using space = scratch();
      const root = space.path('volume');
      const syscalls = marked(root);
      try {
        syscalls.setXattr(root, { name: 'user.stork.incoming', value: Buffer.from('1 another run mtime=1') });
      } catch {
        return test.skip('this file system has no attributes');
      }
      const killed = () => {
        throw new Error('killed');
      };
      assert.throws(() => {
        endIncoming(spec(root), { run, syscalls: { ...syscalls, [step]: killed } });
        throw new Error('killed');
      }, /killed/);
      endIncoming(spec(root), { run, syscalls });
      assert.equal(lstatSync(root, { bigint: true }).mtimeNs, 3_000_000_000_000n);
      assert.equal(findMark(root, syscalls), undefined);
      assert.equal(syscalls.getXattr(root, 'user.stork.incoming'), undefined);
    });
  }

  it('has the time of now, not one that another run noted and did not come back for', (test) => {
    using space = scratch();
    const root = space.path('volume');
    mkdirSync(root);
    const syscalls = openSyscalls();
    try {
      syscalls.setXattr(root, { name: 'user.stork.incoming', value: Buffer.from('1 another run mtime=1') });
    } catch {
      return test.skip('this file system has no attributes');
    }
    utimesSync(root, 1000, 3000);
    endIncoming(spec(root), { run, syscalls });
    assert.equal(lstatSync(root, { bigint: true }).mtimeNs, 3_000_000_000_000n);
    assert.equal(findMark(root, syscalls), undefined);
  });
});
