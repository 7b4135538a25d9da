/** Repositories of another machine as people use them: `repo serve` and rest-server, by our commands and by stock restic. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../test/stores/loopback.ts';
import { startRestServer } from '../../../test/stores/rest-server.ts';
import { type Scratch, scratch } from '../../mover/testing/test-volumes.ts';
import { newTls } from '../serve/testing/serve.ts';
import { runCommand, runCommandIn, runCommandUntil } from '../testing/run-command.ts';
import { resticBeside, resticMissing } from '../testing/stock-restic.ts';

const env = { RESTIC_REST_USERNAME: 'alice', RESTIC_REST_PASSWORD: 'secret' };

function someFiles(space: Scratch): string {
  const tree = space.path('tree');
  mkdirSync(`${tree}/sub`, { recursive: true });
  writeFileSync(`${tree}/random`, randomBytes(3_000_000));
  writeFileSync(`${tree}/sub/small`, 'small');
  writeFileSync(space.path('password'), 'repository');
  return tree;
}

const digestOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** `repo serve` in this process, as its arguments say. */
async function serve(space: Scratch, ...more: readonly string[]) {
  writeFileSync(space.path('secret'), 'secret\n');
  const line = await runCommand('repo', 'htpasswd', 'alice', '--new-password-file', space.path('secret'));
  assert.equal(line.exitCode, 0, line.stderr);
  writeFileSync(space.path('users'), line.stdout);
  const tls = newTls();
  for (const [name, pem] of Object.entries({
    'ca.pem': tls.authority,
    'cert.pem': tls.certificate,
    'key.pem': tls.key,
  }))
    writeFileSync(space.path(name), pem);
  const stop = new AbortController();
  const port = await freePort();
  const running = runCommandUntil(
    ...[stop.signal, {}, 'repo', 'serve', '--repo', space.path('served'), '--listen', `127.0.0.1:${port}`],
    ...['--tls-cert', space.path('cert.pem'), '--tls-key', space.path('key.pem')],
    ...['--htpasswd-file', space.path('users'), ...more],
  );
  const at = ['--cacert', space.path('ca.pem'), '--password-file', space.path('password')];
  const end = async () => {
    stop.abort();
    return await running;
  };
  return {
    repo: `rest:https://localhost:${port}/`,
    /** As restic 0.14 takes the user. */
    stock: `rest:https://alice:secret@localhost:${port}/`,
    at,
    end,
    async [Symbol.asyncDispose]() {
      await end();
    },
  };
}

describe('a served repository', { skip: resticMissing }, () => {
  it('is one repository for our commands and for stock restic, which checks every byte; the server ends well', async () => {
    using space = scratch();
    const tree = someFiles(space);
    await using server = await serve(space);
    const { repo, stock, at } = server;
    const ours = (...argv: readonly string[]) => runCommandIn(env, ...argv, '--repo', repo, ...at);
    const theirs = (...argv: readonly string[]) =>
      resticBeside(stock, 'repository', '--cacert', space.path('ca.pem'), ...argv);
    for (const argv of [
      ['repo', 'init'],
      ['backup', tree],
    ]) {
      const { exitCode, stderr } = await ours(...argv);
      assert.equal(exitCode, 0, stderr);
    }
    await theirs('check', '--read-data');
    writeFileSync(`${tree}/sub/later`, 'later');
    await theirs('backup', tree);
    await theirs('restore', 'latest', '--target', space.path('theirs'));
    assert.equal(digestOf(`${space.path('theirs')}${tree}/random`), digestOf(`${tree}/random`));
    const listed = JSON.parse((await ours('list', '--json')).stdout.toString()) as { id: string }[];
    assert.equal(listed.length, 2);
    for (const argv of [
      ['restore', 'latest', '--target', space.path('ours')],
      ['verify', '--read-data'],
      ['forget', listed[0]?.id ?? ''],
      ['prune', '--min-wait', '0'],
      ['key', 'list'],
      ['repo', 'info'],
    ]) {
      const { exitCode, stderr } = await ours(...argv);
      assert.equal(exitCode, 0, `${argv.join(' ')}: ${stderr}`);
    }
    assert.equal(digestOf(`${space.path('ours')}${tree}/sub/later`), digestOf(`${tree}/sub/later`));
    await theirs('check', '--read-data');
    const { exitCode, stderr } = await server.end();
    assert.equal(exitCode, 0, stderr);
    assert.ok(!stderr.includes('secret"') && !stderr.includes('Basic'), stderr);
  });

  it('append-only: backups of both go on, and nothing can be taken away', async () => {
    using space = scratch();
    const tree = someFiles(space);
    await using server = await serve(space, '--append-only');
    const { repo, stock, at } = server;
    const ours = (...argv: readonly string[]) => runCommandIn(env, ...argv, '--repo', repo, ...at);
    assert.equal((await ours('repo', 'init')).exitCode, 0);
    assert.equal((await ours('backup', tree)).exitCode, 0);
    await resticBeside(stock, 'repository', '--cacert', space.path('ca.pem'), 'backup', tree);
    const listed = JSON.parse((await ours('list', '--json')).stdout.toString()) as { id: string }[];
    const refused = await ours('forget', listed[0]?.id ?? '');
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /append-only/);
    assert.equal((JSON.parse((await ours('list', '--json')).stdout.toString()) as unknown[]).length, 2);
  });

  it('takes in changed files of certificates and users while it serves', async () => {
    using space = scratch();
    await using server = await serve(space);
    const config = (user: string, password: string) =>
      runCommandIn(
        { RESTIC_REST_USERNAME: user, RESTIC_REST_PASSWORD: password },
        ...['repo', 'init', '--repo', server.repo, ...server.at],
      );
    writeFileSync(space.path('password'), 'repository');
    const line = await runCommand('repo', 'htpasswd', 'bob', '--new-password-file', space.path('password'));
    const tls = newTls();
    writeFileSync(space.path('users'), line.stdout);
    writeFileSync(space.path('cert.pem'), tls.certificate);
    writeFileSync(space.path('key.pem'), tls.key);
    writeFileSync(space.path('ca.pem'), tls.authority);
    let exitCode: number | undefined;
    for (let tries = 0; exitCode !== 0 && tries < 120; tries++) {
      ({ exitCode } = await config('bob', 'repository'));
      await sleep(500);
    }
    assert.equal(exitCode, 0);
    assert.notEqual((await config('alice', 'secret')).exitCode, 0);
    const { stderr } = await server.end();
    assert.match(stderr, /certificates and users were read again/);
  });
});

describe("a repository on restic's rest-server", { skip: resticMissing }, () => {
  it('takes our backups, which stock restic checks; pruning is left to where marks can be kept', async () => {
    using space = scratch();
    const tree = someFiles(space);
    await using server = await startRestServer();
    const at = ['--cacert', server.caFile, '--password-file', space.path('password')];
    const ours = (...argv: readonly string[]) => runCommandIn(env, ...argv, '--repo', `rest:${server.url}`, ...at);
    for (const argv of [
      ['repo', 'init'],
      ['backup', tree],
      ['restore', 'latest', '--target', space.path('ours')],
    ]) {
      const { exitCode, stderr } = await ours(...argv);
      assert.equal(exitCode, 0, `${argv.join(' ')}: ${stderr}`);
    }
    // All is whole; only who deleted what can't be known.
    const verified = await ours('verify', '--read-data');
    assert.equal(verified.exitCode, 4, verified.stderr);
    assert.match(verified.stdout.toString(), /keeps no ledger/);
    const stock = `rest:${server.url.replace('//', '//alice:secret@')}`;
    await resticBeside(stock, 'repository', '--cacert', server.caFile, 'check', '--read-data');
    const pruned = await ours('prune');
    assert.equal(pruned.exitCode, 1);
    assert.match(pruned.stderr, /keeps only what stock restic knows/);
  });
});

describe('repo serve', () => {
  it('serves other machines with TLS and to known users only, and says what is wrong with its files', async () => {
    using space = scratch();
    const tls = newTls();
    for (const [name, text] of Object.entries({ cert: tls.certificate, key: tls.key, users: 'alice:$2y$05$bcrypt' }))
      writeFileSync(space.path(name), text);
    const refused = async (says: RegExp, ...argv: readonly string[]) => {
      const { exitCode, stderr } = await runCommand('repo', 'serve', '--repo', space.path('served'), ...argv);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, says);
    };
    const withTls = ['--tls-cert', space.path('cert'), '--tls-key', space.path('key')];
    await refused(/with TLS only/, '--listen', '0.0.0.0:8000');
    await refused(/who may use it/, '--listen', '0.0.0.0:8000', ...withTls);
    await refused(/needed together/, '--listen', '0.0.0.0:8000', '--tls-cert', space.path('cert'));
    await refused(/where to listen/, '--listen', '8000');
    await refused(/bcrypt is not read/, '--listen', '[::]:8000', ...withTls, '--htpasswd-file', space.path('users'));
    await refused(/no size/, '--listen', '127.0.0.1:0', '--max-size', '5x');
  });
});
