import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { keepThreadPoolAwake } from './keep-thread-pool-awake.ts';

describe('keeping the thread pool awake', () => {
  it('asks it for something again and again', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let posted = 0;
    keepThreadPoolAwake({
      everyMs: 1,
      post(done) {
        if (++posted === 20) resolve();
        done();
      },
    });
    const alive = setInterval(() => {}, 1000);
    await promise;
    clearInterval(alive);
  });

  it('does not pile up requests behind threads that are busy', async () => {
    let posted = 0;
    keepThreadPoolAwake({ everyMs: 1, post: () => void posted++ });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(posted <= 8, `${posted}`);
  });

  it('keeps no process alive', () => {
    const module = JSON.stringify(join(import.meta.dirname, 'keep-thread-pool-awake.ts'));
    const program = `(await import(${module})).keepThreadPoolAwake({ everyMs: 1 }); console.log('ends');`;
    const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
    assert.equal(said, 'ends\n');
  });
});
