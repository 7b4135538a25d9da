import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { runCommand } from '../testing/run-command.ts';
import { checkWithRestic, restic, resticMissing } from '../testing/stock-restic.ts';

const [fromPassword, toPassword] = ['the first', 'the second'];

function places() {
  const space = scratch();
  const password = (name: string, text: string) => {
    writeFileSync(space.path(name), `${text}\n`, { mode: 0o600 });
    return space.path(name);
  };
  const from = { place: space.path('from'), file: password('from.txt', fromPassword) };
  const to = { place: space.path('to'), file: password('to.txt', toPassword) };
  mkdirSync(space.path('files/below'), { recursive: true });
  writeFileSync(space.path('files/below/text'), 'some words '.repeat(20_000));
  writeFileSync(space.path('files/ours'), Buffer.alloc(300_000, 7));
  symlinkSync('below/text', space.path('files/link'));
  const target = ['--repo', to.place, '--password-file', to.file];
  const source = ['--from-repo', from.place, '--from-password-file', from.file];
  return { space, from, to, target, source, [Symbol.dispose]: () => space[Symbol.dispose]() };
}

async function told(...argv: readonly string[]) {
  const { exitCode, stdout, stderr } = await runCommand(...argv, '--json');
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout.toString());
}

async function assertEqualTrees(left: string, right: string): Promise<void> {
  const digest = async (path: string) =>
    JSON.parse((await runCommand('mover', 'digest', path)).stdout.toString()).digest;
  assert.equal(await digest(left), await digest(right));
}

describe('copying between repositories of ours and of stock restic', { skip: resticMissing }, () => {
  it('restic reads what we copied from a repository that it wrote', async () => {
    using here = places();
    const { space, from, to, target, source } = here;
    restic(from.place, fromPassword, 'init');
    restic(from.place, fromPassword, 'backup', '--tag', 'one', space.path('files'));
    await told('repo', 'init', '--repo', to.place, '--password-file', to.file);
    const { copied, there } = await told('copy', ...target, ...source);
    assert.deepEqual([copied.length, there], [1, []]);
    checkWithRestic(to.place, toPassword);
    restic(to.place, toPassword, 'restore', 'latest', '--target', space.path('restored'));
    await assertEqualTrees(space.path('files'), `${space.path('restored')}${space.path('files')}`);
    const [snapshot] = JSON.parse(restic(to.place, toPassword, 'snapshots', '--json').toString());
    assert.deepEqual([snapshot.tags, snapshot.original, snapshot.id], [['one'], copied[0].from, copied[0].to]);
  });

  it('into a repository that restic made, beside what it has, only what is asked for, and once', async () => {
    using here = places();
    const { space, from, to, target, source } = here;
    restic(to.place, toPassword, 'init');
    restic(to.place, toPassword, 'backup', space.path('from.txt'));
    const repository = ['--repo', from.place, '--password-file', from.file];
    await told('repo', 'init', ...repository);
    await told('backup', ...repository, '--tag', 'first', space.path('files'));
    writeFileSync(space.path('files/more'), 'more');
    await told('backup', ...repository, '--tag', 'second', space.path('files'));
    const { copied } = await told('copy', ...target, ...source, '--tag', 'second');
    assert.equal(copied.length, 1);
    assert.equal((await told('copy', ...target, ...source, 'latest')).there.length, 1);
    const all = await told('copy', ...target, ...source);
    const trees = space.path('files').split('/').length;
    assert.deepEqual(
      [all.copied.length, all.there.length, all.blobs],
      [1, 1, trees],
      'its trees only, from the root down',
    );
    checkWithRestic(to.place, toPassword);
    assert.equal(JSON.parse(restic(to.place, toPassword, 'snapshots', '--json').toString()).length, 3);
    restic(to.place, toPassword, 'restore', copied[0].to, '--target', space.path('restored'));
    await assertEqualTrees(space.path('files'), `${space.path('restored')}${space.path('files')}`);
  });

  it('says what is missing on the command line, and which repository does not open', async () => {
    using here = places();
    const { from, to, target, source } = here;
    for (const { place, file } of [from, to]) await told('repo', 'init', '--repo', place, '--password-file', file);
    const outcome = (...argv: readonly string[]) => runCommand('copy', ...argv);
    const noSource = await outcome(...target);
    assert.equal(noSource.exitCode, 2);
    assert.match(noSource.stderr, /--from-repo/);
    const unopened = await outcome(...target, '--from-repo', from.place);
    assert.equal(unopened.exitCode, 2);
    assert.match(unopened.stderr, /--from-password-file, .* or --from-key-plugin/);
    const wrong = await outcome(...target, '--from-repo', from.place, '--from-password-file', to.file);
    assert.equal(wrong.exitCode, 12);
    const itself = await outcome(...target, '--from-repo', to.place, '--from-password-file', to.file);
    assert.match(itself.stderr, /Both are the same repository/);
    assert.equal((await outcome(...target, ...source, 'latest')).exitCode, 1, 'there is none');
  });
});
