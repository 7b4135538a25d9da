import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { chooseFiles } from './choose-files.ts';

const [exec, kills, volumes] = ['test/e2e/exec.test.ts', 'test/e2e/kills.test.ts', 'test/e2e/volumes.test.ts'];
const all = [exec, kills, volumes];

describe('a word for a test file', () => {
  for (const word of ['exec', 'exec.test.ts', exec, `./${exec}`, `/work/stork/${exec}`])
    it(`is its path or its name: ${word}`, () => {
      assert.deepEqual(chooseFiles([word], all), { found: 'All', files: [exec] });
    });

  it('may be a pattern, and a file that is meant twice runs once', () => {
    const files = [kills, exec, volumes];
    assert.deepEqual(chooseFiles(['kills', 'test/e2e/*.test.ts', exec], all), { found: 'All', files });
  });

  for (const words of [['exce.test.ts'], ['exec', 'nothing/*'], ['test/e2e'], ['xec'], ['']])
    it(`that means none is told with the names there are: ${words}`, () => {
      const chosen = chooseFiles(words, all);
      assert.ok(
        chosen.found === 'NotAll' && chosen.message.endsWith('there are: exec kills volumes'),
        JSON.stringify(chosen),
      );
    });

  it('ends npm run e2e with 1 when it means none', () => {
    const program = join(import.meta.dirname, '../e2e.ts');
    const { status, stderr } = spawnSync(process.execPath, [program, 'no-such-file'], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /no test file is no-such-file; there are: .*\bexec\b/);
  });
});
