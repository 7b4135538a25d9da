import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { runCommand, runCommandUntil } from '../testing/run-command.ts';
import { createTeller } from './tell-stderr.ts';

const linesOf = (stderr: string): unknown[] =>
  stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('why a command failed', () => {
  const nowhere = ['--repo', '/dev/null/x', '--password-file', '/dev/null'];
  const codeOf: Readonly<Record<number, string>> = { 2: 'ArgumentInvalid', 10: 'RepositoryMissing' };
  const wrong: readonly (readonly string[])[] = [
    ['list', '--json'],
    ['list', '--json', '--no-such-option'],
    ['backup', '--json', ...nowhere, '--threads', 'many', '/'],
    ['prune', '--json', 'superfluous', ...nowhere],
    ['key', '--json', '--repo'],
    ['repo', 'info', '--json'],
    ['repo', 'no-such-word', '--json'],
    ['no-such-command', '--json'],
  ];
  for (const argv of wrong)
    it(`is one line of JSON with --json: ${argv.join(' ')}`, async () => {
      const { exitCode, stdout, stderr } = await runCommand(...argv);
      assert.equal(stdout.length, 0);
      const [line, ...more] = linesOf(stderr);
      assert.deepEqual(more, []);
      const { message_type, code, error } = Object(line);
      assert.deepEqual([message_type, code, error], ['exit_error', exitCode, codeOf[exitCode]]);
    });

  it('says the same as the text: code, message, place, hint and cause', async () => {
    using space = scratch();
    writeFileSync(space.path('password'), 'secret');
    const argv = ['list', '--repo', space.path('nothing'), '--password-file', space.path('password')];
    const { exitCode, stderr } = await runCommand(...argv, '--json');
    const told = Object(linesOf(stderr)[0]);
    assert.deepEqual([exitCode, told.code, told.error], [10, 10, 'RepositoryMissing']);
    const text = (await runCommand(...argv)).stderr;
    assert.ok(text.startsWith(`stork-agent list: ${told.message}`), text);
    assert.ok(text.includes(told.about) && text.includes(told.hint), text);
  });

  it('is text where --json is a word behind --', async () => {
    const { exitCode, stderr } = await runCommand('list', '--', '--json');
    assert.deepEqual([exitCode, stderr.startsWith('stork-agent list: It takes no such argument (--json)')], [2, true]);
  });

  it('is that it was interrupted, and nothing else, when it was', async () => {
    const { exitCode, stderr } = await runCommandUntil(AbortSignal.abort('SIGINT'), {}, 'list', '--json');
    const [{ message_type, code, error, retryable }] = linesOf(stderr).map(Object) as [Record<string, unknown>];
    assert.deepEqual([exitCode, message_type, code, error, retryable], [130, 'exit_error', 130, 'Interrupted', true]);
  });
});

describe('a file of authorities that is of no use', () => {
  it('is a wrong argument: the flag and the file are named', async () => {
    using space = scratch();
    const [caFile, password] = [space.path('ca.pem'), space.path('password')];
    writeFileSync(password, 'secret');
    const list = () =>
      runCommand('list', '--repo', 'rest:https://127.0.0.1:9/', '--password-file', password, '--cacert', caFile);
    for (const reason of ['cannot be read', 'holds no PEM certificate']) {
      const { exitCode, stderr } = await list();
      assert.equal(exitCode, 2, stderr);
      assert.ok(stderr.includes('--cacert') && stderr.includes(caFile) && stderr.includes(reason), stderr);
      writeFileSync(caFile, 'nothing');
    }
  });
});

describe('what a command warns of', () => {
  it('takes the place of the line of progress on a terminal', () => {
    const said: string[] = [];
    const stderr = Object.assign(new PassThrough(), { isTTY: true });
    stderr.on('data', (bytes) => said.push(String(bytes)));
    createTeller('backup', [], { stderr, signal: new AbortController().signal }).warn('one: vanished');
    stderr.read();
    assert.deepEqual(said, ['\r\u001b[Kone: vanished\n']);
  });

  it('is a line of JSON with --json, else a line', async () => {
    using space = scratch();
    const [tree, password] = [space.path('tree'), space.path('password')];
    mkdirSync(tree);
    writeFileSync(password, 'secret');
    const run = (...argv: readonly string[]) =>
      runCommand(...argv, '--repo', space.path('repo'), '--password-file', password);
    await run('repo', 'init');
    const warned = await run('backup', tree, `${tree}/absent`, '--json');
    assert.equal(warned.exitCode, 3, warned.stderr);
    assert.deepEqual(linesOf(warned.stderr), [{ message_type: 'warning', message: `${tree}/absent: does not exist` }]);
    assert.equal((await run('backup', tree, `${tree}/absent`)).stderr, `${tree}/absent: does not exist\n`);
  });
});
