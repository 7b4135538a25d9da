import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { scratch } from '../mover/testing/test-volumes.ts';
import { runCommand } from './testing/run-command.ts';
import { checkWithRestic, restic, resticMissing } from './testing/stock-restic.ts';

/** Enough that its tree is read and built in pieces; docs/benchmarks.md tells what 500,000 take. */
const entries = 20_000;
/** Enough that their names and nodes are not all kept. */
const directories = 3_000;

/** Runs commands on it that must not fail: what they print. */
async function newRepository(repo: string, password: string) {
  writeFileSync(password, 'secret');
  const run = async (...argv: readonly string[]): Promise<string> => {
    const outcome = await runCommand(...argv, '--repo', repo, '--password-file', password);
    assert.equal(outcome.exitCode, 0, outcome.stderr);
    return outcome.stdout.toString();
  };
  await run('repo', 'init');
  return run;
}

describe('a directory of very many entries', { skip: resticMissing }, () => {
  it('is saved, saved again, browsed, compared and restored, and stock restic checks and dumps it', async () => {
    using space = scratch();
    const [root, repo, password] = [space.path('root'), space.path('repo'), space.path('password')];
    mkdirSync(`${root}/a directory`, { recursive: true });
    const nameOf = (number: number) => `entry-${String(number).padStart(6, '0')}-of-a-large-directory`;
    for (let number = 0; number < entries; number++) writeFileSync(`${root}/${nameOf(number)}`, `${number % 100}`);
    const run = await newRepository(repo, password);
    await run('backup', root);
    const [first = ''] = readdirSync(`${repo}/snapshots`);
    const [changed, removed] = [nameOf(9_000), nameOf(9_001)];
    writeFileSync(`${root}/${changed}`, 'changed');
    rmSync(`${root}/${removed}`);
    await run('backup', root);
    const differing = (await run('diff', first, 'latest')).trim().split('\n');
    assert.deepEqual(differing.slice(0, 2), [`M ${root}/${changed}`, `- ${root}/${removed}`]);
    assert.match(await run('browse', 'latest', `${root}/${changed}`), /entry-009000/);
    assert.equal(await run('dump', 'latest', `${root}/${changed}`), 'changed');
    await run('verify', '--read-data');
    await run('restore', `latest:${root}`, '--target', space.path('out'), '--verify');
    assert.equal(readdirSync(space.path('out')).length, entries);
    assert.equal(readFileSync(`${space.path('out')}/${nameOf(19_999)}`, 'utf8'), '99');
    checkWithRestic(repo, 'secret');
    assert.equal(restic(repo, 'secret', 'dump', 'latest', `${root}/${changed}`).toString(), 'changed');

    // What its few entries were is found in the tree that was large.
    for (const name of readdirSync(root)) if (name !== changed) rmSync(`${root}/${name}`, { recursive: true });
    await run('backup', root);
    assert.match(await run('diff', 'latest', 'latest'), /^0 added/);
  });

  it('may be directories: all are saved, known again and restored', async () => {
    using space = scratch();
    const [root, repo, password] = [space.path('root'), space.path('repo'), space.path('password')];
    const nameOf = (number: number) => `directory-${String(number).padStart(6, '0')}`;
    for (let number = 0; number < directories; number++) {
      mkdirSync(`${root}/${nameOf(number)}`, { recursive: true });
      writeFileSync(`${root}/${nameOf(number)}/file`, `${number}`);
    }
    const run = await newRepository(repo, password);
    await run('backup', root);
    const gone = nameOf(2_500);
    rmSync(`${root}/${gone}`, { recursive: true });
    await run('backup', root);
    assert.match(await run('diff', 'latest', 'latest'), /^0 added/);
    await run('restore', `latest:${root}`, '--target', space.path('out'), '--verify');
    const restored = readdirSync(space.path('out'));
    assert.deepEqual([restored.length, restored.includes(gone)], [directories - 1, false]);
    for (const number of [0, 2_499, 2_501, directories - 1])
      assert.equal(readFileSync(`${space.path('out')}/${nameOf(number)}/file`, 'utf8'), `${number}`);
    checkWithRestic(repo, 'secret');
  });
});
