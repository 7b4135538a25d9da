import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { runCommand } from '../testing/run-command.ts';

describe('a name with what a terminal obeys in it', () => {
  it('stays one line of plain characters in every line for people, and itself with --json', async () => {
    using space = scratch();
    const evil = space.path('a\u001b[2J\nb');
    const [tree, repo, password] = [`${evil}/tree`, space.path('repo'), space.path('password')];
    mkdirSync(tree, { recursive: true });
    writeFileSync(`${tree}/old\u001b[1m`, 'one');
    writeFileSync(password, 'secret');
    const run = (...argv: readonly string[]) => runCommand(...argv, '--repo', repo, '--password-file', password);
    await run('repo', 'init');
    await run('backup', tree);
    renameSync(`${tree}/old\u001b[1m`, `${tree}/new\nline`);
    const warned = await run('backup', tree, `${evil}/absent\u001b[1m`);
    const failed = await run('restore', `latest:${evil}/nope`, '--target', space.path('out'));
    const listed = await run('list');
    const [first, second] = JSON.parse((await run('list', '--json')).stdout.toString());
    const compared = await run('diff', first.id, second.id);
    const browsed = await run('browse', 'latest', tree);
    assert.deepEqual(first.paths, [tree]);
    const said = [warned.stderr, failed.stderr, ...[listed, compared, browsed].map(({ stdout }) => stdout.toString())];
    for (const text of said) assert.match(text, /^[^\p{Cc}]*(\n[^\p{Cc}]*)*$/u);
    assert.equal(warned.stderr.trimEnd().split('\n').length, 1, warned.stderr);
    assert.match(compared.stdout.toString(), /^\+ .*new\\u\{a\}line\n- .*old\\u\{1b\}\[1m\n/);
    assert.equal(listed.stdout.toString().trimEnd().split('\n').length, 4);
  });
});
