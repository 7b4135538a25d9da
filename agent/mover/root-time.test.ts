import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { noteRootTime, restoreRootTime } from './root-time.ts';
import { openSyscalls } from './syscalls.ts';
import { scratch } from './testing/test-volumes.ts';

describe('the time of a root that is marked', () => {
  it('is set again as it was before the first try, whatever later ones found', () => {
    using space = scratch();
    const [root, file] = [space.path('volume'), space.path('root-time')];
    mkdirSync(root);
    utimesSync(root, 1000, 2000.5);
    noteRootTime(file, root);
    writeFileSync(`${root}/.stork-incoming`, 'run');
    noteRootTime(file, root);
    restoreRootTime(file, root, openSyscalls());
    assert.equal(lstatSync(root, { bigint: true }).mtimeNs, 2_000_500_000_000n);
    assert.deepEqual(readdirSync(space.path('.')).sort(), ['root-time', 'volume']);
  });

  it('stays as it is when none was noted, or nothing that can be read', () => {
    using space = scratch();
    const root = space.path('volume');
    mkdirSync(root);
    utimesSync(root, 1000, 2000);
    restoreRootTime(space.path('none'), root, openSyscalls());
    writeFileSync(space.path('damaged'), '12x');
    restoreRootTime(space.path('damaged'), root, openSyscalls());
    assert.equal(lstatSync(root).mtimeMs, 2_000_000);
  });
});
