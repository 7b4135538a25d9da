import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { runCommand, runCommandUntil } from '../testing/run-command.ts';

describe('a backup that is interrupted', { timeout: 120_000 }, () => {
  it('waits for nothing that its threads have in hand: here an hour’s work', async () => {
    using space = scratch();
    const [tree, password] = [space.path('tree'), space.path('password')];
    mkdirSync(tree);
    writeFileSync(`${tree}/slow`, Buffer.alloc(4 * 1024 * 1024, 'slow'));
    writeFileSync(password, 'secret');
    const place = ['--repo', space.path('repo'), '--password-file', password];
    assert.equal((await runCommand('repo', 'init', ...place)).exitCode, 0);
    const stop = new AbortController();
    const ended = runCommandUntil(stop.signal, {}, 'backup', tree, '--limit-local', '1', ...place);
    // A thread is started and pays for its first bytes by then; on a slower machine it is interrupted earlier.
    await sleep(2000);
    stop.abort('SIGINT');
    const { exitCode, stderr } = await ended;
    assert.deepEqual([exitCode, stderr], [130, 'stork-agent backup: interrupted\n']);
    const { stdout } = await runCommand('list', '--json', ...place);
    assert.deepEqual(JSON.parse(stdout.toString()), []);
  });
});
