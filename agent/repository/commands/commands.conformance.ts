import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { digestOf, scratch } from '../../mover/testing/test-volumes.ts';
import { runCommand } from '../testing/run-command.ts';
import { checkWithRestic, restic, resticMissing } from '../testing/stock-restic.ts';

interface Place extends Disposable {
  readonly tree: string;
  readonly repo: string;
  path(name: string): string;
  /** The command on this repository with its password. */
  run(...argv: readonly string[]): ReturnType<typeof runCommand>;
}

async function place(): Promise<Place> {
  const space = scratch();
  const [tree, repo, password] = [space.path('tree'), space.path('repo'), space.path('password')];
  mkdirSync(`${tree}/sub`, { recursive: true });
  writeFileSync(`${tree}/one`, 'one');
  writeFileSync(`${tree}/sub/two.tmp`, 'two');
  writeFileSync(password, 'secret\nsecond line');
  const run = (...argv: readonly string[]) => runCommand(...argv, '--repo', repo, '--password-file', password);
  const made = await run('repo', 'init');
  assert.equal(made.exitCode, 0, made.stderr);
  return { tree, repo, run, path: space.path, [Symbol.dispose]: () => space[Symbol.dispose]() };
}

const jsonLines = (bytes: Buffer): unknown[] =>
  bytes
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('stork-agent', { skip: resticMissing }, () => {
  it('saves, lists, browses, dumps, compares and restores', async () => {
    using at = await place();
    const { tree, run } = at;
    const first = await run('backup', tree, '--tag', 'early', '--json');
    assert.equal(first.exitCode, 0, first.stderr);
    writeFileSync(`${tree}/one`, 'changed');
    writeFileSync(`${tree}/sub/three`, 'three');
    assert.equal((await run('backup', tree)).exitCode, 0);
    const [listed] = jsonLines((await run('list', '--json')).stdout);
    assert.ok(Array.isArray(listed));
    assert.equal(listed.length, 2);
    assert.deepEqual(listed[0].tags, ['early']);
    assert.equal(listed[1].summary.bytes, 15);
    const names = jsonLines((await run('browse', 'latest', tree, '--recursive', '--json')).stdout);
    const paths = ['one', 'sub', 'sub/three', 'sub/two.tmp'].map((name) => `${tree}/${name}`);
    assert.deepEqual(
      names.map((one) => Object.entries(Object(one))[0]?.[1]),
      paths,
    );
    assert.equal((await run('dump', 'latest', `${tree}/one`)).stdout.toString(), 'changed');
    const differing = (await run('diff', listed[0].id, listed[1].id)).stdout.toString().split('\n');
    assert.deepEqual(differing.slice(0, 2), [`M ${tree}/one`, `+ ${tree}/sub/three`]);
    const restored = await run('restore', `latest:${tree}`, '--target', at.path('out'), '--verify');
    assert.equal(restored.exitCode, 0, restored.stderr);
    assert.equal((await digestOf(at.path('out'))).digest, (await digestOf(tree)).digest);
    const early = await run('restore', 'latest', '--tag', 'early', '--include', 'one', '--target', at.path('early'));
    assert.equal(early.exitCode, 0, early.stderr);
    assert.equal(readFileSync(`${at.path('early')}${tree}/one`, 'utf8'), 'one');
    checkWithRestic(at.repo, 'secret');
    restic(at.repo, 'secret', 'restore', 'latest', '--target', at.path('theirs'));
    assert.equal((await digestOf(`${at.path('theirs')}${tree}`)).digest, (await digestOf(tree)).digest);
  });

  it('leaves out the repository itself where it lies in what is saved, and refuses to save it or a part of it', async () => {
    using space = scratch();
    const [tree, repo, password] = [space.path('tree'), space.path('tree/back [1]*/repo'), space.path('password')];
    mkdirSync(repo, { recursive: true });
    writeFileSync(`${tree}/back [1]*/beside`, 'beside');
    writeFileSync(password, 'secret');
    const run = (...argv: readonly string[]) => runCommand(...argv, '--repo', repo, '--password-file', password);
    await run('repo', 'init');
    for (const _ of ['first', 'again']) {
      const { exitCode, stderr } = await run('backup', tree);
      assert.equal(exitCode, 0, stderr);
      assert.match(stderr, /the repository itself, left out/);
    }
    const names = jsonLines((await run('browse', 'latest', tree, '--recursive', '--json')).stdout);
    assert.deepEqual(
      names.map((one) => Object.entries(Object(one))[0]?.[1]),
      [`${tree}/back [1]*`, `${tree}/back [1]*/beside`],
    );
    for (const path of [repo, `${repo}/keys`]) {
      const { exitCode, stderr } = await run('backup', path);
      assert.equal(exitCode, 2);
      assert.match(stderr, /not saved into itself/);
    }
    assert.doesNotMatch((await run('backup', `${tree}/back [1]*/beside`)).stderr, /left out/);
  });

  it('tells when nothing is what --include says, and counts the directories that are', async () => {
    using at = await place();
    await at.run('backup', at.tree);
    const none = await at.run('restore', 'latest', '--include', '/nowhere', '--target', at.path('none'));
    assert.deepEqual([none.exitCode, readdirSync(at.path('none'))], [3, []]);
    assert.match(none.stderr, /nothing in the restore point is what --include says/);
    const sub = await at.run('restore', 'latest', '--include', `${at.tree}/sub`, '--target', at.path('sub'));
    assert.equal(sub.exitCode, 0, sub.stderr);
    assert.match(sub.stdout.toString(), /, 1 directories/);
  });

  it('leaves out what is excluded, and keeps no lock', async () => {
    using at = await place();
    assert.equal((await at.run('backup', at.tree, '--exclude', '*.tmp')).exitCode, 0);
    assert.equal((await at.run('restore', `latest:${at.tree}`, '--target', at.path('out'))).exitCode, 0);
    assert.deepEqual(readdirSync(at.path('out')), ['one', 'sub']);
    assert.deepEqual(readdirSync(at.path('out/sub')), []);
    assert.deepEqual(readdirSync(`${at.repo}/locks`), []);
  });

  it('reads, writes and sends no faster than it is told, and refuses limits that are none', async () => {
    using at = await place();
    for (let file = 0; file < 4; file++) writeFileSync(`${at.tree}/${file}`, Buffer.alloc(256 * 1024, `${file}`));
    const took = async (...argv: readonly string[]) => {
      const beganMs = performance.now();
      const { exitCode, stderr } = await at.run(...argv);
      assert.equal(exitCode, 0, stderr);
      return performance.now() - beganMs;
    };
    // What comes first is not waited for.
    assert.ok((await took('backup', at.tree, '--limit-local', '1024')) >= 750);
    assert.ok((await took('backup', at.tree, '--force', '--limit-iops', '5')) >= 800);
    assert.ok((await took('backup', at.tree, '--force', '--limit-requests', '10')) >= 500);
    assert.ok((await took('restore', 'latest', '--target', at.path('out'), '--limit-local', '1024')) >= 500);
    for (const limit of ['0', '-1', 'fast']) {
      const { exitCode, stderr } = await at.run('backup', at.tree, '--limit-upload', limit);
      assert.equal(exitCode, 2);
      assert.match(stderr, /--limit-upload/);
    }
  });

  it('writes what is lost into a file, which must be new', async () => {
    using at = await place();
    assert.equal((await at.run('backup', at.tree)).exitCode, 0);
    rmSync(`${at.repo}/data`, { recursive: true });
    const verified = await at.run('verify', '--lost-to', at.path('lost'));
    assert.equal(verified.exitCode, 3, verified.stderr);
    const lost = jsonLines(readFileSync(at.path('lost')));
    assert.deepEqual(
      lost.map((one) => Object(one).type),
      ['dir'],
    );
    const again = await at.run('verify', '--lost-to', at.path('lost'));
    assert.equal(again.exitCode, 2);
    assert.match(again.stderr, /--lost-to/);
  });

  it('says by its exit code what went wrong', async () => {
    using at = await place();
    const { run, tree } = at;
    assert.equal((await run('repo', 'init')).exitCode, 1);
    assert.equal((await run('backup')).exitCode, 2);
    assert.equal((await run('backup', tree, '--compression', 'much')).exitCode, 2);
    assert.equal((await run('backup', tree, '--no-such-option')).exitCode, 2);
    const partly = await run('backup', tree, `${tree}/absent`);
    assert.equal(partly.exitCode, 3);
    assert.match(partly.stderr, /absent: does not exist/);
    for (const threads of ['0', '-1', 'x']) assert.equal((await run('backup', tree, '--threads', threads)).exitCode, 2);
    assert.equal((await run('restore', 'abcd', '--target', at.path('out'))).exitCode, 1);
    for (const argv of [
      ['list', 'latest'],
      ['verify', 'x'],
      ['prune', 'x'],
      ['repo', 'info', 'x'],
      ['key', 'list', 'x'],
    ]) {
      const superfluous = await run(...argv);
      assert.deepEqual([superfluous.exitCode, superfluous.stdout.length], [2, 0], argv.join(' '));
      assert.match(superfluous.stderr, /no such argument/);
    }
    assert.equal((await run('key', 'remove')).exitCode, 2);
    const elsewhere = ['--repo', at.path('nothing'), '--password-file', at.path('password')];
    assert.equal((await runCommand('list', ...elsewhere)).exitCode, 10);
    writeFileSync(at.path('password'), 'another');
    assert.equal((await run('list')).exitCode, 12);
  });

  it('ends when the target of a restore is none', async () => {
    using at = await place();
    assert.equal((await at.run('backup', at.tree)).exitCode, 0);
    const argv = ['restore', 'latest', '--repo', at.repo, '--password-file', at.path('password')];
    for (const target of [`${at.tree}/one`, `${at.tree}/one/below`]) {
      const program = [join(import.meta.dirname, '../../main.ts'), ...argv, '--target', target];
      const { status, stderr } = spawnSync(process.execPath, program, { timeout: 120_000, killSignal: 'SIGKILL' });
      assert.equal(status, 1, 'it has not ended by itself');
      assert.match(stderr.toString(), /is no directory/);
    }
  });

  it('goes on beside a restore point that is damaged, and gives nobody an older one for the latest', async () => {
    using at = await place();
    const { run, tree } = at;
    await run('backup', tree);
    const [first = ''] = readdirSync(`${at.repo}/snapshots`);
    await run('backup', tree);
    const second = readdirSync(`${at.repo}/snapshots`).find((id) => id !== first) ?? '';
    rmSync(`${at.repo}/snapshots/${second}`);
    writeFileSync(`${at.repo}/snapshots/${second}`, 'damaged');
    const listed = await run('list');
    assert.equal(listed.exitCode, 3);
    assert.match(listed.stdout.toString(), new RegExp(first.slice(0, 8)));
    assert.match(listed.stderr, new RegExp(second));
    assert.equal((await run('restore', 'latest', '--target', at.path('no'))).exitCode, 1);
    for (const words of [[first], ['latest', '--keep-going']]) {
      const restored = await run('restore', ...words, '--target', at.path(words.join('')));
      assert.equal(restored.exitCode, 0, restored.stderr);
      assert.match(restored.stderr, new RegExp(second));
    }
    assert.equal((await run('browse', first, tree)).exitCode, 0);
    assert.equal((await run('backup', tree)).exitCode, 0);
    assert.equal((await run('verify')).exitCode, 3);
    const forgetting = await run('forget', '--keep-last', '1');
    assert.equal(forgetting.exitCode, 1, 'what is kept is decided by all or none');
  });

  it('restores all but what is lost when told to go on', async () => {
    using at = await place();
    const { run, tree } = at;
    await run('backup', tree);
    // Of the two kinds of packs the one with file contents is the larger here or not: lose each in turn.
    const [pack = ''] = readdirSync(`${at.repo}/data`).flatMap((folder) =>
      readdirSync(`${at.repo}/data/${folder}`).map((name) => `${at.repo}/data/${folder}/${name}`),
    );
    rmSync(pack);
    const strict = await run('restore', `latest:${tree}`, '--target', at.path('strict'));
    assert.notEqual(strict.exitCode, 0);
    const lenient = await run('restore', 'latest', '--target', at.path('lenient'), '--keep-going');
    assert.ok(lenient.exitCode === 3 || lenient.exitCode === 1, lenient.stderr);
  });
});
