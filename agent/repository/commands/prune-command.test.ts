import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { runCommand } from '../testing/run-command.ts';

describe('stork-agent prune', () => {
  it('tells sizes as every other command does, small ones too', async () => {
    using space = scratch();
    const [tree, repo, password] = [space.path('tree'), space.path('repo'), space.path('password')];
    mkdirSync(tree);
    writeFileSync(`${tree}/one`, 'one');
    writeFileSync(password, 'secret');
    const run = (...argv: readonly string[]) => runCommand(...argv, '--repo', repo, '--password-file', password);
    await run('repo', 'init');
    await run('backup', tree);
    const [saved = ''] = readdirSync(`${repo}/snapshots`);
    await run('forget', saved, '--unsafe-allow-remove-all');
    const { exitCode, stdout, stderr } = await run('prune');
    assert.equal(exitCode, 0, stderr);
    assert.match(
      stdout.toString(),
      /^deleted 0 packs \(0 B\)\nmarked 2 packs \([\d.]+ K?i?B\), of them 0 packs \(0 B\)/,
    );
  });
});
