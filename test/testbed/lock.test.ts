import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isAlive, readStartTicks, withLock } from './lock.ts';

describe('the lock between processes', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stork-lock-'));
  });
  after(() => rm(folder, { recursive: true }));
  const never = () => assert.fail('nobody to wait for');

  it('is gone after the action, also after one that failed', async () => {
    const path = join(folder, 'one');
    assert.equal(await withLock(path, never, async () => existsSync(path)), true);
    await assert.rejects(
      withLock(path, never, () => Promise.reject(new Error('failed'))),
      /failed/,
    );
    assert.equal(existsSync(path), false);
  });

  it('lets one action in at a time and tells the other whom it waits for', async () => {
    const path = join(folder, 'two');
    const told: number[] = [];
    let inside = 0;
    const action = async () => {
      inside++;
      assert.equal(inside, 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(path, (pid) => told.push(pid), action)));
    assert.deepEqual(new Set(told), new Set([process.pid]));
  });

  it('takes over from a dead process, even when its pid lives again', async () => {
    const path = join(folder, 'three');
    await writeFile(path, `${process.pid} 1\n`);
    await withLock(path, never, async () => {});
  });

  it('knows a process by pid and start time', () => {
    const startTicks = readStartTicks(process.pid);
    assert.ok(startTicks !== undefined && isAlive({ pid: process.pid, startTicks }));
    assert.equal(isAlive({ pid: process.pid, startTicks: '1' }), false);
  });
});
