/** `stork-agent dump` of directories, unpacked by GNU tar. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { openSyscalls } from '../../mover/syscalls.ts';
import { chanceBytes, type Scratch, scratch, seededChance } from '../../mover/testing/test-volumes.ts';
import { canTell, fillWithEverything, listing } from '../../mover/testing/tree-of-everything.ts';
import { runCommand, runCommandOnTerminal } from '../testing/run-command.ts';
import { restic, resticMissing } from '../testing/stock-restic.ts';

function place(space: Scratch) {
  const [tree, repo, password] = [space.path('tree'), space.path('repo'), space.path('password')];
  mkdirSync(tree);
  writeFileSync(password, 'secret');
  const run = (...argv: readonly string[]) => runCommand(...argv, '--repo', repo, '--password-file', password);
  return { tree, repo, run };
}

/** As root: with owners, modes, times and all attributes. */
function unpack(archive: Buffer, to: string): void {
  mkdirSync(to);
  const flags = ['-x', '-p', '--same-owner', '--xattrs', '--xattrs-include=*', '--numeric-owner', '-C', to];
  const { status, stderr } = spawnSync('tar', flags, { input: archive });
  assert.equal(status, 0, String(stderr));
}

const packsOf = (repo: string) => new Set(readdirSync(`${repo}/data`, { recursive: true }).map(String));

const losses: Readonly<Record<string, (repo: string, before: ReadonlySet<string>) => void>> = {
  'every pack': (repo) => rmSync(`${repo}/data`, { recursive: true }),
  'the content of what was saved later': (repo, before) => removeLater(repo, before, 100_000, Number.POSITIVE_INFINITY),
  'the trees of what was saved later': (repo, before) => removeLater(repo, before, 0, 100_000),
};

/** Packs are of trees or of contents, which differ in size here. */
function removeLater(repo: string, before: ReadonlySet<string>, from: number, below: number): void {
  for (const name of packsOf(repo)) {
    const stats = statSync(`${repo}/data/${name}`);
    if (!before.has(name) && stats.isFile() && stats.size >= from && stats.size < below) rmSync(`${repo}/data/${name}`);
  }
}

describe('a dumped directory', { skip: canTell ? resticMissing : 'needs root and python3' }, () => {
  it('is an archive that GNU tar unpacks to the same tree, with all metadata', async () => {
    using space = scratch();
    const { tree, run } = place(space);
    fillWithEverything(tree);
    openSyscalls().setXattr(`${tree}/empty`, { name: 'user.a=b%c', value: Buffer.from('odd') });
    const chance = seededChance(31);
    mkdirSync(`${tree}/${'deep/'.repeat(40)}`, { recursive: true });
    for (const size of [1, 511, 512, 513, 3_000_000])
      writeFileSync(`${tree}/${'deep/'.repeat(40)}of ${size}`, chanceBytes(chance, size));
    await run('repo', 'init');
    await run('backup', tree);
    const all = await run('dump', 'latest', tree);
    assert.equal(all.exitCode, 3);
    assert.match(all.stderr, /socket: no archive can hold it/);
    rmSync(`${tree}/socket`);
    await run('backup', tree);
    const { exitCode, stdout, stderr } = await run('dump', 'latest', tree);
    assert.equal(exitCode, 0, stderr);
    unpack(stdout, space.path('out'));
    assert.equal(listing(`${space.path('out')}${tree}`), listing(tree));
  });

  it('has the names that stock restic gives it, and those below a path that is a part of the restore point', async () => {
    using space = scratch();
    const { tree, repo, run } = place(space);
    for (const name of ['one', 'sub/two', 'sub/more/three']) {
      mkdirSync(`${tree}/${name.replace(/[^/]*$/, '')}`, { recursive: true });
      writeFileSync(`${tree}/${name}`, name);
    }
    await run('repo', 'init');
    await run('backup', tree);
    const names = (archive: Buffer) =>
      String(spawnSync('tar', ['-t'], { input: archive }).stdout)
        .trim()
        .split('\n')
        .toSorted();
    const ours = names((await run('dump', 'latest', `${tree}/sub`)).stdout);
    const theirs = names(restic(repo, 'secret', 'dump', 'latest', `${tree}/sub`));
    assert.deepEqual(
      ours.filter((name) => !name.endsWith('sub/')),
      theirs.filter((name) => !name.endsWith('sub/')),
    );
    const below = await run('dump', `latest:${tree}/sub`);
    assert.equal(below.exitCode, 0, below.stderr);
    assert.deepEqual(names(below.stdout), ['more/', 'more/three', 'two']);
    assert.deepEqual(names((await run('dump', `latest:${tree}`, 'sub/more')).stdout), ['sub/more/', 'sub/more/three']);
    unpack(below.stdout, space.path('out'));
    assert.equal(readFileSync(`${space.path('out')}/more/three`, 'utf8'), 'sub/more/three');
  });

  for (const [what, lose] of Object.entries(losses))
    it(`fails, and with it who unpacks what came, when ${what} is lost`, async () => {
      using space = scratch();
      const { tree, repo, run } = place(space);
      for (const name of ['a', 'b/c']) {
        mkdirSync(`${tree}/${name}`, { recursive: true });
        writeFileSync(`${tree}/${name}/file`, chanceBytes(seededChance(name.length), 700_000));
      }
      await run('repo', 'init');
      await run('backup', `${tree}/a`);
      const before = packsOf(repo);
      await run('backup', tree);
      lose(repo, before);
      const { exitCode, stdout, stderr } = await run('dump', 'latest', tree);
      assert.equal(exitCode, 1, stderr);
      assert.notEqual(spawnSync('tar', ['-t'], { input: stdout }).status, 0);
    });

  it('is never of an older restore point than was asked for', async () => {
    using space = scratch();
    const { tree, repo, run } = place(space);
    await run('repo', 'init');
    await run('backup', tree);
    const [first] = readdirSync(`${repo}/snapshots`);
    writeFileSync(`${tree}/later`, 'later');
    await run('backup', tree);
    const latest = readdirSync(`${repo}/snapshots`).find((name) => name !== first);
    writeFileSync(`${repo}/snapshots/${latest}`, 'damaged');
    const { exitCode, stderr } = await run('dump', 'latest', tree);
    assert.equal(exitCode, 1);
    assert.match(stderr, /Which restore point is the latest is not known/);
    assert.equal((await run('dump', first ?? '', tree)).exitCode, 0);
  });

  it('is no zip, nor for a terminal', async () => {
    using space = scratch();
    const { tree, repo, run } = place(space);
    await run('repo', 'init');
    await run('backup', tree);
    const zip = await run('dump', '--archive', 'zip', 'latest', tree);
    assert.equal(zip.exitCode, 2);
    assert.match(zip.stderr, /--archive/);
    const at = ['--repo', repo, '--password-file', space.path('password')];
    const shown = await runCommandOnTerminal('dump', 'latest', tree, ...at);
    assert.equal(shown.exitCode, 2);
    assert.equal(shown.stdout.length, 0);
    assert.match(shown.stderr, /nothing for a terminal/);
  });
});
